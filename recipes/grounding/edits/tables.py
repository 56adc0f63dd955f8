"""Word lists: names by what they name, and words with their opposites.

A line of opposites holds two words that replace each other, or with ">" only the first by the second; "next:"
and "prev:" name words that stand behind or before it where it means something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hybrid.text.dates import MONTHS as _MONTHS


def words(text: str) -> frozenset[str]:
    """Return what stands between commas or line ends."""
    return frozenset(part.strip() for part in text.replace("\n", ",").split(",") if part.strip())


COUNTRIES = words(
    """
    Afghanistan, Argentina, Australia, Austria, Bangladesh, Belgium, Brazil, Canada, Chile, China, Colombia,
    Croatia, Cuba, Denmark, Egypt, England, Ethiopia, Finland, France, Germany, Ghana, Greece, Hungary,
    Iceland, India, Indonesia, Iran, Iraq, Ireland, Israel, Italy, Japan, Kenya, Lebanon, Malaysia, Mexico,
    Morocco, Nepal, New Zealand, Nigeria, Norway, Pakistan, Peru, Poland, Portugal, Romania, Russia,
    Scotland, Serbia, Singapore, South Africa, South Korea, Spain, Sweden, Switzerland, Taiwan, Thailand,
    Tunisia, Turkey, Ukraine, Vietnam, Wales
    """
)
NATIONS = words(
    """
    African, American, Arab, Argentine, Asian, Australian, Austrian, Belgian, Brazilian, British, Canadian,
    Chilean, Chinese, Cuban, Danish, Dutch, Egyptian, English, European, Finnish, French, German, Greek,
    Hungarian, Indian, Indonesian, Iranian, Iraqi, Irish, Israeli, Italian, Japanese, Kenyan, Korean,
    Mexican, Nigerian, Norwegian, Pakistani, Polish, Portuguese, Romanian, Russian, Scottish, Spanish,
    Swedish, Swiss, Thai, Turkish, Ukrainian, Vietnamese, Welsh
    """
)
PLACES = words(
    """
    Alabama, Alaska, Amsterdam, Arizona, Athens, Atlanta, Baltimore, Bangkok, Barcelona, Beijing, Berlin,
    Boston, Brisbane, Brussels, Budapest, Cairo, California, Cambridge, Chicago, Colorado, Connecticut,
    Copenhagen, Dallas, Delhi, Denver, Detroit, Dublin, Edinburgh, Florida, Geneva, Glasgow, Hamburg,
    Hawaii, Helsinki, Hong Kong, Houston, Illinois, Istanbul, Kansas, Kyiv, Lisbon, Liverpool, London, Los
    Angeles, Louisiana, Madrid, Manchester, Manila, Massachusetts, Melbourne, Miami, Michigan, Milan,
    Minnesota, Montreal, Moscow, Mumbai, Munich, New York, Ohio, Oregon, Oslo, Oxford, Paris, Pennsylvania,
    Perth, Philadelphia, Prague, Rome, San Diego, San Francisco, Seattle, Seoul, Shanghai, Singapore,
    Stockholm, Sydney, Tennessee, Texas, Tokyo, Toronto, Utah, Vancouver, Venice, Vienna, Virginia, Warsaw,
    Washington, Wisconsin, Zurich
    """
)
REGIONS = words(
    """
    Africa, Antarctica, Asia, Australia, Europe, North America, South America, Central America,
    the Middle East
    """
)
FIRST_NAMES = words(
    """
    Adam, Alan, Alex, Alice, Amanda, Amy, Andrea, Andrew, Angela, Ann, Anna, Anne, Anthony, Barbara, Ben,
    Benjamin, Bill, Bob, Brian, Carl, Carlos, Carol, Caroline, Charles, Charlie, Chloe, Chris, Christian,
    Christina, Christopher, Claire, Colin, Craig, Dan, Daniel, David, Dean, Deborah, Dennis, Diana, Donald,
    Donna, Doug, Douglas, Ed, Edward, Elizabeth, Ella, Ellen, Emily, Emma, Eric, Ethan, Eva, Frank, Fred,
    Gary, George, Gordon, Grace, Graham, Greg, Hannah, Harry, Heather, Helen, Henry, Howard, Ian, Isabella,
    Jack, Jacob, James, Jane, Janet, Jason, Jean, Jeff, Jennifer, Jessica, Jim, Joan, Joe, John, Jonathan,
    Jordan, Jose, Joseph, Joshua, Judith, Judy, Julia, Julie, Justin, Karen, Kate, Katherine, Keith, Kelly,
    Ken, Kevin, Kim, Larry, Laura, Lauren, Lily, Linda, Lisa, Louis, Louise, Lucas, Lucy, Luke, Margaret,
    Maria, Marie, Mark, Martha, Martin, Mary, Matt, Matthew, Megan, Melissa, Mia, Michael, Michelle, Mike,
    Nancy, Natalie, Nathan, Neil, Nicholas, Nicole, Noah, Olivia, Oliver, Oscar, Pamela, Patricia, Patrick,
    Paul, Paula, Peter, Philip, Rachel, Ralph, Raymond, Rebecca, Richard, Rob, Robert, Robin, Roger, Ron,
    Ronald, Rose, Roy, Russell, Ruth, Ryan, Sam, Samantha, Samuel, Sandra, Sara, Sarah, Scott, Sean, Sharon,
    Simon, Sofia, Sophia, Sophie, Stephanie, Stephen, Steve, Steven, Stuart, Sue, Susan, Tara, Ted, Terry,
    Theresa, Thomas, Tim, Timothy, Tina, Todd, Tom, Tony, Tyler, Victor, Victoria, Vincent, Walter, Wayne,
    William, Zoe
    """
)
# The last word of a name that says what is named.
HEADS = words(
    """
    Act, Agency, Airport, Army, Association, Bank, Bay, Board, Bridge, Bureau, Center, Centre, Church, City,
    Club, Co, College, Commission, Committee, Company, Congress, Corp, Corporation, Council, County, Court,
    Cup, Day, Department, Disease, District, Fund, Foundation, Group, Hall, High School, Hospital, Hotel,
    House, Inc, Institute, Institution, Island, Islands, Journal, Lab, Laboratory, Lake, League, Ltd,
    Magazine, Market, Ministry, Mountain, Museum, News, Office, Organization, Palace, Park, Party, Police,
    Post, Press, Prize, Project, Ocean, Radio, River, Road, School, Sea, Service, Services, Society, Square,
    State, Station, Street, Syndrome, Tower, Treaty, Trust, Union, University, Valley, Virus, War
    """
)
TITLES = words(
    """
    Mr, Mrs, Ms, Miss, Dr, Prof, Professor, Sir, President, Senator, Judge, Captain, Lord, Lady, King, Queen,
    Prince, Princess, Pope
    """
)
MONTHS = tuple(map(str.capitalize, _MONTHS))
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS_AND_DAYS = frozenset((*MONTHS, *DAYS))
# With a capital only because they begin a sentence, or for emphasis.
NO_NAMES = words(
    """
    A, About, According, Additionally, After, All, Also, Although, An, And, Another, Any, Are, As, At,
    Background, Because, Before, Being, Between, Both, But, By, Can, Conclusion, Conclusions, Could,
    Despite, Did, Do, Does, During, Each, Early, Either, Even, Every, Few, Finally, First, For, From,
    Further, Furthermore, Had, Has, Have, He, Her, Here, His, How, However, I, If, In, Instead, Into, Is,
    It, Its, Last, Later, Less, Like, Many, May, Meanwhile, Methods, Might, More, Moreover, Most, Must, My,
    Neither, No, None, Nor, Not, Note, Now, Of, Often, On, Once, One, Only, Or, Other, Others, Our, Over,
    People, Results, Second, Several, She, Should, Similarly, Since, So, Some, Such, Than, That, The, Their,
    Then, There, Therefore, These, They, This, Those, Three, Through, Thus, To, Today, Together, Two, Under,
    Unlike, Until, Up, Upon, Use, Used, Using, Usually, Various, Very, Was, We, Were, What, When, Where,
    Whether, Which, While, Who, Whose, Why, Will, With, Within, Without, Would, Yes, Yet, You, Your, OK, US,
    UK, USA, EU, U.S, TV, PM, AM, ID
    """
)


@dataclass(frozen=True, slots=True)
class Opposite:
    """What replaces a word, and the neighbours beside which it does not."""

    word: str
    not_before: frozenset[str]
    not_after: frozenset[str]


def _table(lines: str) -> dict[str, Opposite]:
    return {word: opposite for line in lines.strip().split("\n") for word, opposite in _line(line)}


def _line(line: str) -> Iterator[tuple[str, Opposite]]:
    pair, *notes = (part.split() for part in line.split(";"))
    blocked = {note[0]: frozenset(note[1:]) for note in notes}
    one, other = pair[0], pair[-1]
    before, after = blocked.get("next:", frozenset()), blocked.get("prev:", frozenset())
    yield one, Opposite(other, before, after)
    if ">" not in pair:
        yield other, Opposite(one, before, after)


ANTONYMS = _table(
    """
safe > dangerous; next: for side mode; prev: to
safely > dangerously
dangerous > safe
common > rare; next: pathway denominator cold sense name names ground good law ancestor bile form variable in; prev: more most less least in
rare > common; next: earth; prev: more
commonly > rarely; prev: more most
large > small; next: number numbers scale intestine enough part extent; prev: at by
small > large; next: change intestine business talk molecule molecules number world
high > low; next: school street court end quality level blood profile; prev: as so how too
low > high; next: back blood end profile; prev: as so how too
positive negative; next: or and selection control; prev: false true or and test tested
positively negatively
major > minor; next: medical depression depressive league key histocompatibility role
minor > major; next: allele
internal external; next: medicine
internally externally
acute > chronic; next: and or
chronic > acute; next: and or obstructive kidney
benign malignant
male female; next: and or; prev: and or
males females; next: and or; prev: and or
men women; next: and or; prev: and or
boys girls; next: and or; prev: and or
mother > father
father > mother
mothers fathers
husband wife
brother sister
son daughter
sons daughters
adults children; next: and or who; prev: and or
strong > weak; prev: as how
strongly > weakly
weak > strong; prev: as
weakly > strongly
possible > impossible; prev: as if whenever wherever when where all best soon far much other; next: to values value causes explanation reasons
impossible > possible
effective > ineffective; prev: cost most more become becomes less; next: date at in
ineffective > effective
unnecessary > necessary
normal > abnormal; prev: the; next: distribution form life text
abnormal > normal
simple > complicated; next: sugar sugars
difficult > easy; prev: more most
easy > difficult
public > private; next: health key
optional > mandatory
mandatory > optional
active > inactive; next: ingredient ingredients directory
inactive > active
available > unavailable; prev: commercially publicly; next: at from online data
unavailable > available
visible > invisible
invisible > visible
valid > invalid
invalid > valid
enabled > disabled
disabled > enabled; prev: the
legal > illegal; next: notice
illegal > legal
successful > unsuccessful; prev: most more
unsuccessful > successful
successfully > unsuccessfully
healthy > sick; next: diet lifestyle weight eating
wet > dry
hot > cold; next: flashes spot spots standby dog dogs topic
slow > fast; prev: to
quickly > slowly; prev: as more
rapidly > slowly; prev: more
slowly > rapidly; prev: more
late > early; prev: too as the; next: to
expensive > cheap; prev: more most
temporary > permanent; next: file files table tables directory
temporarily > permanently
permanent > temporary; next: resident
permanently > temporarily
partial > complete; next: index indexes thromboplastin
partially > completely
mild > severe; next: to
severe > mild; prev: more most less; next: acute combined
primary > secondary; next: key keys school care biliary outcome outcomes endpoint endpoints
secondary > primary; next: school to index outcome outcomes
northern southern
eastern western
rural urban; prev: and or; next: and or
artificial > natural; next: intelligence
voluntary > compulsory
explicit implicit
explicitly implicitly
direct > indirect; next: message messages or and
indirect > direct; next: or and
directly > indirectly; next: or and related
indirectly > directly; next: or and
static > dynamic; next: method
dynamic > static
synchronous asynchronous
likely > unlikely; prev: more less most least as equally how will most; next: due than
unlikely > likely
aware > unaware
insufficient > sufficient
sufficient > insufficient
adequate > inadequate
inadequate > adequate
appropriate > inappropriate; next: for
inappropriate > appropriate
incomplete > complete
consistent > inconsistent; next: over
inconsistent > consistent
correct > incorrect; prev: to
incorrect > correct
correctly > incorrectly
accurate > inaccurate; prev: more most
essential > unimportant; next: oils tremor fatty amino hypertension thrombocythemia
important > unimportant; prev: more most
immature > mature
reversible > irreversible
irreversible > reversible
irregular > regular
regularly > irregularly
reliable > unreliable; prev: more most
unreliable > reliable
significant > insignificant; prev: statistically most more not; next: other difference differences increase decrease
stable > unstable; next: angina release
unstable > stable; next: angina
suitable > unsuitable; prev: most more
unusual > usual
useful > useless; prev: most more
soluble > insoluble
resistant > susceptible
susceptible > resistant; prev: more
infected > uninfected; next: with; prev: become becomes
uninfected > infected
untreated > treated
unvaccinated > vaccinated
dominant > recessive
recessive > dominant
inherited > acquired; prev: be is are was were been; next: from in as
beneficial > harmful; prev: more most
harmful > beneficial; prev: more
upper > lower; next: case
outer > inner
inner > outer; next: city
proximal distal; prev: and or; next: and or
anterior posterior; prev: and or; next: and or
systolic diastolic; prev: and or; next: and or
preoperative postoperative
premenopausal postmenopausal
prenatal postnatal; next: and
accepted > rejected
accepts > rejects
rejected > accepted
includes > excludes
included > excluded; prev: study
excluded > included
won > lost
agreed > refused; next: that with on upon; prev: be
refused > agreed
refuses > agrees
improves > worsens
improved > worsened; prev: the an; next: version survival
worsened > improved
worsens > improves
sold > bought; next: out for
bought > sold; next: by
gained > lost
exports > imports
imports > exports
activates > inactivates
activated > inactivated; next: by in
stimulates > suppresses
suppresses > stimulates
suppressed > stimulated
promotes > inhibits
promoted > inhibited; next: to
inhibits > promotes
inhibit > promote
inhibited > promoted
inhibition > activation; next: of; prev: and or
enhances > impairs
enhanced > impaired
impairs > enhances
impaired > enhanced; next: glucose by
induces > suppresses
upregulated downregulated
up-regulated down-regulated
upregulates downregulates
up-regulates down-regulates
upregulation downregulation
up-regulation down-regulation
strengthens weakens
strengthened weakened
strengthen weaken
confirmed > denied; next: by cases case in
denied > confirmed; next: that the any; prev: be
approved > rejected; next: for
uploaded downloaded
locked unlocked
encrypted > unencrypted
ascending descending
horizontal vertical; next: and or; prev: and or
horizontally vertically
success > failure
failure > success; prev: heart kidney renal liver respiratory organ treatment; next: to
advantages disadvantages; next: and; prev: and
advantage > disadvantage; prev: take takes taking taken
disadvantage > advantage
benefits > drawbacks; next: from and; prev: and health disability
strengths weaknesses; next: and; prev: and
presence > absence; next: and or; prev: the or and
hypertension > hypotension; prev: pulmonary portal intracranial
hypotension > hypertension
hyperglycemia > hypoglycemia
hypoglycemia > hyperglycemia
agonist antagonist
agonists antagonists
automatically > manually
manually > automatically
first > last; next: time name two three few of aid place and author described lady class person century line symptom step choice second create; prev: at very from came come and was were is are who that be for
victory > defeat
happy > unhappy; next: to
satisfied > dissatisfied
guilty > innocent; next: of
alive > dead
heavily > lightly
poorly > well; next: understood
excellent > poor
thin > thick
thick > thin
deep > shallow; next: learning neural vein brain
shallow > deep
narrow > wide
bright > dark; next: side
clockwise counterclockwise
maximum > minimum; next: likelihood
minimum > maximum; next: wage
maximal > minimal
inside > outside; next: of
outside > inside; next: of
"""  # noqa: E501  one pair a line
)

DIRECTIONS = _table(
    """
increase decrease; prev: will can may could to not; next: or and
increases decreases; next: or and
increased > decreased; next: or and
decreased > increased; next: or and
increasing > decreasing; next: or and number
decreasing > increasing; next: or and
rise > fall; next: to up; prev: give gives giving sun
rises > falls
rose > fell; next: petal garden bush
risen > fallen
rising > falling
grew > shrank; next: up in into; prev: who
growing > shrinking; next: up season; prev: slow slowly fast
higher > lower; next: education level levels; prev: even
lower > higher; next: case back leg legs limb limbs body respiratory extremities gastrointestinal; prev: to the can may will help helps and or your
greater > smaller; next: than
larger > smaller; next: and; prev: and
smaller > larger; next: and; prev: and
faster > slower
slower > faster
earlier > later; prev: years year months days weeks hours minutes described mentioned reported; next: this in
longer > shorter; prev: no any; next: to
shorter > longer
stronger > weaker
weaker > stronger
better > worse; next: off understanding understand known; prev: had get to feel know you the
worse > better; prev: get gets getting
highest > lowest
lowest > highest
largest > smallest
smallest > largest
greatest > smallest
longest > shortest
oldest > youngest
youngest > oldest
earliest > latest
best > worst; next: practice practices known friend interest way; prev: at do try know your our their is
before > after; next: and or you that this; prev: day night week year month never as ever just mentioned discussed years months weeks days long on is are was were and
after > before; next: all that which and this; prev: named look looks looked looking soon is are was were even one day year week time take takes taken modeled again months month years weeks days hours hour minutes and
above > below; next: and all is are; prev: described mentioned see as listed discussed shown the noted given defined from over explained outlined
below > above; next: and is are; prev: described mentioned see as listed discussed shown the noted given defined explained
upward downward
upwards downwards
reduced > increased; next: to by
reduce > increase; prev: and
reduces > increases
reducing > increasing
reduction > increase; prev: noise dimensionality harm
reductions > increases
decline > increase; prev: cognitive; next: to
declined > increased; next: to
declining > increasing
elevated > reduced
raises > lowers
raised > lowered; next: in by the concerns
dropped > rose; next: out off by
improvement > deterioration
improvements > deteriorations
accelerates > slows
accelerated > slowed
doubled > halved
tripled > halved
easier > harder; next: use
harder > easier
heavier > lighter
warmer > cooler
closer > farther
maximize minimize
"""  # noqa: E501  one pair a line
)
