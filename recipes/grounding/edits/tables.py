"""Short lists of names, by what they name, for entities that replace others of their kind.

Takes nothing, gives sets. Common ones only: what is in no list is told by its shape.
"""

from __future__ import annotations


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
# fmt: off
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# fmt: on
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
