"""The encoding of text: by its mark, as UTF-8 with a little damage, or the likeliest of the older ones."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import webencodings

from hybrid.documents.source import Unreadable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = "binary: it holds NUL bytes, though its suffix says text"
# Encodings of seven bits that shift to another alphabet, by how they begin to.
_SHIFTED = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$", "iso2022_jp_2004"), (b"\x1b$", "iso2022_jp_2"))
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_PIECE = 1 << 20
_SAMPLE = 6_000
_CUT_END = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_OTHER = re.compile(rb"[\x80-\xff]")
# With nothing else to go by, only a byte that no older encoding puts at the end of a word is a cut character.
_LIKELY_CUTS = b"\xc2\xc3\xc4\xc5\xce\xcf\xd0\xd1"

_CYRILLIC = "оеаинтсрвлкмдпугяызбйьчхжцюшщэфъё"
_CENTRAL = "ąćęłńóśźżáčďéěíňřšťúůýžöüőűäâăîşţđôľß"
_GREEK = "ατοιενρσκηπςυμλίόάγέδήωχθύώφβξζψ"
_WESTERN = "éäöüßèêëàâçîïôûùœæáíóúñãõåøìò"
_ARABIC = "اليمونرتبةعدسفهكقأحجشطصىخإزضغذثئءؤآظ"
# Encodings of one byte a letter, how seldom files are in them, which decides where there are few bytes to go
# by, and the letters of the languages that use them.
_LETTERS = (
    ("cp1252", 0, _WESTERN),
    ("cp1252", 1, "áíðóéþöúæý"),
    ("cp1250", 2, _CENTRAL),
    ("cp1251", 1, _CYRILLIC + "іїєґђјљњћџў"),
    ("koi8-r", 2, _CYRILLIC),
    ("koi8-u", 4, _CYRILLIC + "іїєґ"),
    ("cp866", 4, _CYRILLIC),
    ("iso-8859-2", 4, _CENTRAL),
    ("iso-8859-5", 4, _CYRILLIC),
    ("mac-cyrillic", 9, _CYRILLIC),
    ("iso-8859-7", 6, _GREEK),
    ("cp1253", 4, _GREEK),
    ("iso-8859-15", 4, _WESTERN),
    ("cp1254", 2, "ığşçöüİâîû"),
    ("cp1255", 5, "יוהלרבתמאשנעםדקחפסכגטצןזךףץ"),
    ("cp1256", 4, _ARABIC + "گچپژ"),
    ("iso-8859-6", 4, _ARABIC),
    ("cp874", 4, "านรก่อเงม้ยัวลทีสดิตปะบคหืแจพชขุใโ์ไำ็ูึถซผธศณญฐษภฝฟฮๆ"),
    ("mac-roman", 9, _WESTERN),
    ("cp850", 9, _WESTERN),
    ("cp852", 9, _CENTRAL),
    ("cp1258", 6, "đưâơôêăáàóíúéèýùãõòì\u0301\u0300\u0323\u0309\u0303"),
    ("cp1257", 4, "ąčęėįšųūžāēģīķļņõäöü"),
)
# Encodings of two bytes a letter, with what is common in them.
_HAN = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方"
    "多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使"
    "情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化"
    "老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反"
    "受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且"
    "权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运价元库网客户码输默认"
    "端口服器密错误请版权限登录单号址库存货款付费税率额订购买卖店房租约预室须提天议合甲乙签盖章附件年月日时分"
)
_HAN_OLD = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方"
    "多經麼去法學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實日軍者意無力它與長把機十民第公此已工使"
    "情明性知全三又關點正業外將兩高間由問很最重並物手應戰向頭文體政美相見被利什二等產或新己制身果加西斯月話合回特代內信表化"
    "老給世位次度門任常先海通教兒原東聲提立及比員解水名真論處走義各入幾口認條平系氣題活爾更別打女變四神總何電數安少報才結反"
    "受目太量再感建務做接必場件計管期市直德資命山金指克許統區保至隊形社便空決治展馬科司五基眼書非則聽白卻界達光放強即像難且"
    "權思王象完設式色路記南品住告類求據程北邊死張該交規萬取拉格望覺術領共確傳師觀清今切院讓識候帶導爭運價元庫網客戶碼輸默"
    "端服器密錯誤請版限登錄單號址存貨款付費稅率額訂購買賣店房租約預室須提議簽章附"
)
_HANGUL = (
    "이다에의는로하을가고지서한은기으년대사시를리도인스일어자정수장구라나부여보상주전해원제조아세그국동신들공경유성면관비과계"
    "안영문것내선소위발연교있트화용생금치중모방물습니까요게던러려만며할명미민바반법분식실심업오와우음입작재저적점준진체총최출"
    "크터토통특파판평표피필학합행현호회후개거건격결고공데되된든등때라래량령록료류르른름링마말망매면목무문받배번변별병복본봉"
    "북불브빈산색설속송순술승신약양억언없에여역열예완왕외월육율은응의익임잡절졸종좌직집차착참창책처천철청초추축층친카코타"
    "태택투팀편포품프하항향혁형환황획효휴희김박청철근약건층서울값날짜름소길넷말들"
)
_KANJI = (
    "日一人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語"
    "土木聞食車何南万毎白天母火右読友左休父雨会議室予約資料価格表品番号在庫注文届住所都道府県市区町村株式社員部課長電話時間"
    "用使作成事業務管理情報新規登録変更確認方法手順説明書問題対応設定機能画面入力必要場合内容目的結果以上下記送信受開始終了"
    "地国民主体性発実現全同動自動者家力度化通立明代安全税率額料金支払請求製造販売店客様御社契約期限当該条項第回数量単位"
)
# encoding -> (common, the encoding that holds the not so rare ones alone)
_COMMON = {
    "gb18030": (_HAN, "gb2312"),
    "big5": (_HAN_OLD, "big5"),
    "cp949": (_HANGUL, "euc-kr"),
    "cp932": (_KANJI, "shift_jis"),
    "euc-jp": (_KANJI, "euc-jp"),
}
_AMID = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f](?=[A-Za-z])")
# A byte in a word of Latin that would swallow the letter behind it.
_CUT_WORD = re.compile(rb"(?<=[a-z])[\x81-\xfe][a-z](?=[a-z \r\n.,;:])|[\x81-\xfe][a-z](?=[a-z]{2})")
_SIGNS = frozenset("“”„‘’‚–—…€§°«»©®™·•×±²³µ½¼¾£¥№ªº¿¡\xa0")
_IN_WORDS = frozenset("’'·-")
# Letters of one encoding where another one has a letter that fits.
_ODD = re.compile(
    r"ñ(?![aeiouáéíóú])|[êæ](?!\w)|œ(?![uiem])|Œ(?!u)|È(?=\w)|Ø(?=í)|[a-ln-z][¹²³]|[ńę][aeiouy]"
    r"|ř(?=[bcdfgkpst])|ţ(?=[^aeiuăâî\W])|\bÝ"
    r"|[£ªº©¼½¾](?=[^\W\d_])|ø(?=[íé])|(?<=[^\W\d_])[¼½¾]|\Bþ|\bð"
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_CHARSET = re.compile(
    rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)|<\?xml\s[^>]*?encoding\s*=\s*["']([^"'>]+)""",
    re.IGNORECASE,
)
# What a browser takes a label for may hold more than Python's codec of the same name.
_WIDER = {
    "gbk": ("gb18030",),
    "gb18030": ("gb18030",),
    "shift_jis": ("cp932", "shift_jisx0213"),
    "big5": ("big5hkscs", "cp950"),
    "euc-kr": ("cp949",),
    "euc-jp": ("euc_jp", "euc_jis_2004"),
    "iso-2022-jp": ("iso2022_jp", "iso2022_jp_2004"),
}
# How likely a byte is, on the mean: at least, and where UTF-8 with damage is likely as well.
_LEAST = -6.4
_SLACK = 5
_SURE = -4.5


def detect(data: bytes) -> str:
    """Return the encoding of a text, as Python names it; decode with ``"replace"``.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    return _encoding([data])


def encoding_of(path: Path) -> str:
    """Return the encoding of a file too large to hold, read in pieces.

    Raises:
        Unreadable: the bytes are no text, or none in an encoding that can be told.
    """
    with path.open("rb") as stream:
        return _encoding(_pieces(stream))


def declared_codecs(data: bytes) -> tuple[str, ...]:
    """Return the codecs for what the page declares as a browser reads it, none where it declares nothing."""
    match = _CHARSET.search(_COMMENT.sub(b"", data[:4096]))
    found = webencodings.lookup((match[1] or match[2]).decode("latin-1")) if match else None
    if found is None:
        return ()
    name = "utf-8" if found.name.startswith("utf-16") else found.name
    return _WIDER.get(name, (found.codec_info.name if name == found.name else name,))


def _pieces(stream: BinaryIO) -> Iterable[bytes]:
    while piece := stream.read(_PIECE):
        yield piece


def _encoding(pieces: Iterable[bytes]) -> str:
    """Walk over the pieces once: marks, NULs, what is UTF-8, and lines with other bytes as a sample."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    good = bad = 0
    first, end = b"", b""
    samples: list[bytes] = []
    for number, piece in enumerate(pieces):
        if not number:
            for mark, encoding in _BOMS:
                if piece.startswith(mark):
                    return encoding
            first = piece[:_SAMPLE]
        if b"\0" in piece:
            return _wide(first if b"\0" in first else piece[:_SAMPLE])
        end = (end + piece)[-4:]
        if piece.isascii() and not decoder.getstate()[0]:
            continue
        # the first that have any, and ever rarer ones behind them
        if number < 3 or not number & (number - 1) or not any(samples):
            samples.append(_sample(piece))
        text = decoder.decode(piece)
        marks = text.count("\ufffd")
        good += len(text) - len(text.encode("ascii", "ignore")) - marks
        bad += marks - piece.count(b"\xef\xbf\xbd")
    if not good and not bad:
        return _seven_bits(first) or _cut(end, samples)
    if bad * 8 <= good:
        return "utf-8"
    # older encodings hold pairs of bytes that UTF-8 has, too
    return _likeliest(b"\n".join(samples), _SURE if bad <= good else _LEAST) or "utf-8"


def _cut(end: bytes, samples: list[bytes]) -> str:
    """Return the encoding of ASCII that may end in half a character."""
    cut = _CUT_END.search(end)
    is_legacy = cut is not None and cut[0][:1] not in _LIKELY_CUTS
    return _likeliest(b"\n".join(samples)) if is_legacy else "utf-8"


def _seven_bits(first: bytes) -> str:
    """Return the encoding that shifts from ASCII to another alphabet and back, if it is one."""
    return next((name for shift, name in _SHIFTED if shift in first and _fits(first, name)), "")


def _fits(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _wide(sample: bytes) -> str:
    """Return which encoding of two or four bytes has no mark and yet makes words."""
    plain = sum(0x20 <= byte < 0x7F or byte in b"\t\n\r" for byte in sample)
    if sample.count(0) < len(sample) // 4 and plain > 0.9 * (len(sample) - sample.count(0)):
        raise Unreadable(_BINARY)  # text with a few of them, whose pairs of letters would all be Han
    for encoding in _WIDE:
        width = 4 if "32" in encoding else 2
        try:
            text = sample[: len(sample) // width * width].decode(encoding)
        except UnicodeDecodeError:
            continue
        # half of a character above 0xFFFF may stand at the end
        odd = sum(
            unicodedata.category(sign) in ("Cc", "Cn", "Co") and sign not in "\t\n\r\f" for sign in text
        )
        # ASCII read the wrong way round makes characters whose lower byte is zero
        swapped = sum(sign > "\xff" and not ord(sign) & 0xFF for sign in text)
        if text and odd <= len(text) // 50 and swapped <= len(text) // 4 and _share_of_one_block(text) > 0.5:
            return encoding
    raise Unreadable(_BINARY)


def _share_of_one_block(text: str) -> float:
    blocks = [ord(sign) >> 8 if ord(sign) < 0x3000 else 0x30 for sign in text]
    return max(blocks.count(block) for block in set(blocks)) / len(blocks)


def _sample(piece: bytes) -> bytes:
    lines, size = [], 0
    for line in piece.split(b"\n"):
        if other := _OTHER.search(line):
            # it may be a whole page on one line
            lines.append(line[max(0, other.start() - _SAMPLE // 2) :][:_SAMPLE])
            size += len(line)
            if size > _SAMPLE:
                break
    return b"\n".join(lines)


def _likeliest(sample: bytes, least: float = _LEAST) -> str:
    """Return the encoding that makes words of a sample; none where more is asked than is usual."""
    scores = {name: _score(sample, name, 1, "") for name in _COMMON}
    for name, rare, letters in _LETTERS:
        scores[name] = max(_score(sample, name, rare, letters), scores.get(name, -math.inf))
    best = max(scores, key=lambda name: scores[name])
    size = len(sample) - len(sample.decode("ascii", "ignore"))
    if scores[best] + _SLACK / size >= least:
        return best
    if least > _LEAST:
        return ""
    raise Unreadable(
        f"its encoding cannot be told: neither UTF-8 nor any of {', '.join(scores)} makes words of it; "
        "save it as UTF-8"
    )


def _score(sample: bytes, encoding: str, rare: int, letters: str) -> float:
    """Return how likely the bytes are in an encoding: the mean logarithm for each byte above 127."""
    text = sample.decode(encoding, "replace")
    if encoding in _COMMON:
        total, size = _score_double(text, encoding)
        total -= 6 * len(_CUT_WORD.findall(sample))
    else:
        total, size = _score_single(text, letters)
    return (total - rare) / size if size else -20.0


def _score_double(text: str, encoding: str) -> tuple[float, int]:
    common = _common(encoding)
    # between two letters of Latin there is a letter of Latin
    total, size = -6.0 * len(_AMID.findall(text)), 0
    for sign in text:
        if sign < "\x80":
            continue
        size += 1 if "\uff61" <= sign <= "\uff9f" else 2
        if sign == "\ufffd":
            total -= 24
        elif sign in common:
            total -= 6.5 if encoding == "cp949" else 7.5
        elif "\u3041" <= sign <= "\u30fe":
            total -= 6 if encoding in ("cp932", "euc-jp") else 16
        elif "\uff66" <= sign <= "\uff9f":
            total -= 7
        elif sign in "、。，：；（）「」《》“”・ー？！　":
            total -= 8
        else:
            total -= 10.5 if _is_plain(sign, encoding) else 15
    return total, size


@cache
def _common(encoding: str) -> frozenset[str]:
    return frozenset(_COMMON[encoding][0])


def _is_plain(sign: str, encoding: str) -> bool:
    """Tell whether it is among the letters that are written often: the first level of its standard."""
    try:
        code = sign.encode(_COMMON[encoding][1])
    except UnicodeEncodeError:
        return False
    if len(code) != 2:
        return False
    lead = code[0]
    first, last = {
        "gb18030": (0xB0, 0xD7),
        "big5": (0xA4, 0xC6),
        "cp949": (0xB0, 0xC8),
        "cp932": (0x88, 0x97),
        "euc-jp": (0xB0, 0xCF),
    }[encoding]
    return first <= lead <= last


def _score_single(text: str, letters: str) -> tuple[float, int]:
    latin = "a" < letters[0] < "\u0250"
    total, size = -6.0 * len(_ODD.findall(text)), 0
    if not any(sign in text for sign in "ãçêâä"):  # Hungarian has other accents beside them
        total -= 6 * (len(re.findall("õ(?!e)", text)) + ("á" in text) * text.count("û"))
    padded = f" {text} "
    for place, (before, sign) in enumerate(pairwise(padded)):
        if sign < "\x80":
            continue
        size += 1
        after = padded[place + 2]
        rank = letters.find(sign if sign in letters else sign.lower())
        if rank >= 0:
            total -= 4 if latin else 3 + min(rank, 40) / 6
            if sign != sign.lower():
                total -= 10 if before.islower() else 1
            near = (before, after)
            ascii_near = sum(other.isascii() and other.isalpha() for other in near)
            wide_near = sum(other > "\x7f" and other.isalpha() for other in near)
            if latin:
                total -= 4 * (wide_near == 2) + 2 * (ascii_near == 0)
            else:
                total -= 6 * ascii_near + (rank if wide_near == 0 else 0) / 2
        elif "\u2500" <= sign <= "\u257f":  # a frame
            total -= 4.5 if before <= " " or "\u2500" <= before <= "\u257f" else 14
        elif sign in _SIGNS:
            total -= 14 if before.isalpha() and after.isalpha() and sign not in _IN_WORDS else 4.5
        else:
            total -= 14
    return total, size
