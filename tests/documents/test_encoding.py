"""Encodings: by mark, by damage, by what makes words."""

import random

import pytest

from hybrid.documents.encoding import detect, encoding_of
from hybrid.documents.source import Unreadable
from hybrid.types import Document, Rejected

SHORT = {
    "cp1251": "Цена: 450 рублей|id;имя\n1;Мария\n2;Олег|ГОСТ 1234|№ 5 – «новый»|Ціна: 450 гривень, їжа",
    "koi8-r": "Цена: 450 рублей|Привет, мир|id;имя\n1;Мария|Договор",
    "cp866": "Цена составляет рублей|┌───┬──────┐\n│ 1 │ порт │\n└───┴──────┘",
    "iso-8859-5": "Срок уведомления составляет три месяца.",
    "gb18030": "价格: 450元|数据库的默认端口是5432。|姓名,城市\n张伟,北京|警告：请先关闭水泵|合同编号|你好",
    "big5": "價格: 450元|會議室須提前三天預約。|保固期為兩年|說明|聯絡電話",
    "euc-kr": "가격: 450원|회의실 예약은 3일 전까지 해야 합니다.|이름,도시\n김철수,서울|부산광역시",
    "shift_jis": "id,name\n1,会議室予約\n2,資料|価格: 450円|警告：ポンプを止めてください|東京都|ﾎﾟﾝﾌﾟ 停止",
    "euc-jp": "会議室の予約は三日前までに。|価格: 450円|資料|氏名,都市\n山田太郎,東京",
    "cp1252": "Grüße €|don’t pay “more” – naïve Müller|Señor Núñez pagó 5 €|25 °C|það er ákveðið|ÜBER",
    "cp1250": "Łódź, żółw, cena 5 zł|Příliš žluťoučký kůň|Gdańsk|árvíztűrő tükörfúrógép|część zamówienia",
    "iso-8859-2": "Łódź i Gdańsk.|Škoda stojí|Łódź, żółw, cena 5 zł|Příliš žluťoučký kůň",
    "mac-roman": "Größe für Müller|Le café coûte 3 €",
    "cp850": "Größe für Müller|Señor Núñez|El plazo de rescisión es de tres meses, según el año."
    "|╔═══╗ Größe ════",
    "cp874": "ราคาห้าสิบบาท|กุญแจอยู่ที่สำนักงาน",
    "cp1253": "Η τιμή είναι πενήντα ευρώ",
    "cp1254": "Fiyat beş yüz lira, İstanbul'da şube|İstanbul",
    "cp1255": "המחיר הוא חמישים",
    "cp1256": "السعر خمسون ريالا",
    "utf-16-le": "hello wörld\n|Привет, мир|会議室の予約 abc",
    "utf-16-be": "hello wörld\n|The pump, section one.|日本語テキスト\nabc",
    "cp852": "Okres wypowiedzenia wynosi trzy miesiące, źródło zażółć gęślą jaźń.",
    "mac-cyrillic": "Срок расторжения договора составляет три месяца.",
    "iso-8859-6": "المفتاح في المكتب.",
    "cp1258": "Thơ\u0300i ha\u0323n thông báo là ba tháng.",
    "iso-2022-jp": "鍵は事務所。|解約の通知期間は三か月です。\nOK",
    "iso-2022-kr": "열쇠는 사무실에.",
    "utf-32-le": "hi there",
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, texts in SHORT.items() for text in texts.split("|")]
)
def test_short_texts_in_old_encodings(encoding, text):
    data = text.encode(encoding)
    assert data.decode(detect(data)) == text


@pytest.mark.parametrize("ending", ["", "\n", "\nEnde: Gr"])
def test_a_few_damaged_bytes_cost_themselves(read_one, ending):
    data = f"Der Preis beträgt 5 € für die Größe L in Łódź – „gut“.{ending}".encode() + b"\xc3"
    document = read_one("a.txt", data)
    assert document.text == data.decode("utf-8", "replace")
    assert [(item.kind, item.characters, item.lost) for item in document.left_out] == [
        ("damaged bytes", 1, False)
    ]
    assert detect("Größe für Łódź".encode()[4:]) == "utf-8"
    assert detect("5 € f".encode() + b"\xfc" + "r Müller".encode()) == "utf-8"


def test_whole_texts_are_told_of_nothing(read_one):
    assert read_one("a.txt", "Größe €").left_out == ()
    assert read_one("a.txt", "Größe €".encode("cp1252")).left_out == ()


def test_damage_in_a_row_is_told_of_the_row(read_items):
    items = read_items(
        "a.csv", "Ort,Menge\nKöln,5\nMünchen,6\nTrier,7\n".encode().replace(b"chen", b"\xc3hen")
    )
    assert [[told.kind for told in item.left_out] for item in items] == [[], ["damaged bytes"], []]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv"])
def test_what_cannot_be_told_is_rejected_with_what_was_tried(read_one, name):
    noise = random.Random(1)
    item = read_one(name, bytes(noise.randrange(1, 256) for _ in range(400)))
    assert isinstance(item, Rejected)
    assert "koi8-r" in item.reason
    assert "UTF-8" in item.reason


def test_a_file_is_looked_at_to_its_end(tmp_path):
    path = tmp_path / "long.csv"
    for encoding in ("cp1251", "utf-8"):
        path.write_bytes(b"a,b\n" * 600_000 + "Мария живёт в Москве\n".encode(encoding))
        assert encoding_of(path) == encoding
    path.write_bytes("ё".encode() * (1 << 19) + "Ё".encode() * 3)  # characters across the border of pieces
    assert encoding_of(path) == "utf-8"


def test_texts_have_one_normal_form(read_one):
    composed, decomposed = "K\u00fcndigung f\u00fcr M\u00fcller", "Ku\u0308ndigung fu\u0308r Mu\u0308ller"
    for name in ("a.txt", "a.md"):
        assert read_one(name, decomposed).text == composed
    document = read_one("a.md", f"---\ntitle: {decomposed}\ntags: {decomposed}\n---\n{decomposed}")
    assert isinstance(document, Document)
    assert (document.title, document.metadata["tags"]) == (composed, composed)


def test_text_with_a_stray_nul_is_no_han():
    with pytest.raises(Unreadable, match="binary"):
        detect(b"a,b\n1,x\x00y\n2,z\n")


def test_noise_of_two_bytes_is_binary():
    with pytest.raises(Unreadable, match="binary"):
        detect(bytes(range(256)) * 4)


def test_a_page_on_one_line_is_told_by_what_stands_far_behind():
    data = b"word " * 2_000 + "Grüße an Müller".encode("cp1252")
    assert data.decode(detect(data)).endswith("Grüße an Müller")


def test_a_byte_in_a_late_piece_is_a_sample_too(tmp_path, monkeypatch):
    monkeypatch.setattr("hybrid.documents.encoding._PIECE", 64)
    path = tmp_path / "late.txt"
    path.write_bytes(b"plain words " * 30 + "Grüße an Müller".encode("cp1252"))
    assert encoding_of(path) in ("cp1252", "iso-8859-15")
