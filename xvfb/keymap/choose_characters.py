#!/usr/bin/env python3
"""Ranks the characters that Deskhand's wide keymap holds, and writes `src/plan/tables/wide_characters.rs`.

    xvfb/keymap/choose_characters.py [--work DIRECTORY] [--report]

makes a virtual environment in DIRECTORY (default: a temporary one), installs the packages of INPUTS into it from PyPI and runs
itself there. `README.md` beside this file says how the rank comes about and why.
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import unicodedata
import venv

# Pinned, because another version of any of them means another list.
INPUTS = ["wordfreq==3.1.1", "lingua-language-detector==1.4.2", "OpenCC==1.4.2", "emoji==2.16.0"]
# When these versions were chosen.
MADE = "November 2026"
# Set in the process that runs inside the virtual environment.
INSIDE = "CHOOSE_CHARACTERS_INSIDE"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "src/plan/tables/wide_characters.rs"

# A keymap holds about 5,300; the others are there for keymaps that turn out wider.
WANTED = 5600
# 64 double-width characters are 128 columns: more than the 120 of this project's lines, less than what editors break.
PER_LINE = 64

# --- What is counted ------------------------------------------------------------------------------------------------

# Languages of wordfreq; Chinese is counted twice, once as it is there (simplified) and once in traditional characters.
WORDFREQ = (
    "ar bg bn ca cs da de el en es fa fi fil fr he hi hu id is it ja ko lt lv mk ms nb nl pl pt ro ru sh sk sl sv ta tr uk ur"
    " vi zh"
).split()
# Languages that wordfreq lacks and whose scripts are covered anyway: lingua's counts of letters in newspaper text.
LINGUA = "az be bs cy eo et eu ga hr kk la mi mn mr nn sn so sq sr sw th yo".split()
# Where wordfreq's list is short (Korean: 30,000 words, none rarer than one in a million) or derived (traditional Chinese), the
# mean of both.
BOTH = {"ko": "ko", "zh-Hant": "zh"}

# Korean counts twice: a few hundred syllables more bring it over 99 % of the characters, and would not do as much elsewhere.
WEIGHTS = {"ko": 2}

# One letter in twenty or so is a capital in running text of the scripts that have capitals; German has more, and it does not
# matter: every capital of a letter that is used at all comes far before the rarest Han.
CAPITALS = 0.05

# Emoji: one in five hundred characters, in every language (chat has more, prose has none). Which ones comes from wordfreq,
# whose lists of 13 languages hold more than 200 of them each, from Twitter and Reddit until 2021.
EMOJI_SHARE = 1 / 500
EMOJI_LANGUAGE_MINIMUM = 200

# Scores of characters that lists of words do not have, on the scale of the others: the sum over all languages of the share that
# the character has in each. With some 65 languages, 1e-2 is one in 6,500 characters everywhere, or one in 100 of one language.
# 5,300 characters reach down to some 6e-5, so that each sign above it costs the texts of one rare Han or Hangul syllable: a sign
# has to be of use, not only to exist.
USUAL = 1e-2  # typographic punctuation and what every word processor puts in by itself
COMMON = 1e-3  # one in 65,000 characters: signs that people and language models use now and then
NEEDED = 2e-4  # the rest of a script or set of signs that is of no use with gaps; well inside 5,300
SELDOM = 5e-5  # the next ones, for whoever has more than 5,300 places


def span(first, last):
    """The characters from `first` to `last`, both included, that Unicode assigns."""
    return "".join(c for c in map(chr, range(first, last + 1)) if unicodedata.category(c) != "Cn")


# (score, why, characters). Blocks where all of a block counts, characters where it is a choice.
ARGUED = [
    # Punctuation. Words in frequency lists are stripped of it, yet hardly a paragraph is without.
    (USUAL, "quotation marks, dashes, ellipsis, bullet, no-break space", "“”‘’„‚«»‹›–—…·•\u00a0"),
    (USUAL, "Spanish", "¿¡ªº"),
    (USUAL, "CJK punctuation", "\u3000、。「」『』《》〈〉【】，．：；？！（）～〜・ー％"),
    (USUAL, "Arabic, Persian, Urdu; zero-width non-joiner, which Persian needs", "،؛؟۔\u0640\u200c"),
    (USUAL, "Devanagari danda, Hebrew maqaf, geresh, gershayim", "।॥־׳״"),
    (USUAL, "signs on keyboards", "§°€£¥©®™±×÷µ²³¹½¼¾¬¦¶´¨¸¯¢¤"),
    (COMMON, "joiners, directions, soft hyphen, variation selectors", "\u200d\u200b\u2060\u00ad\u200e\u200f\ufe0f\ufe0e"),
    (NEEDED, "spaces and directions", "\u202f\u2009\u2002\u2003\ufeff" + span(0x202A, 0x202E) + span(0x2066, 0x2069)),
    (SELDOM, "more of them", "\u200a\u2007\u2008\u2005\u2004\u2006\u2028\u061c"),
    (COMMON, "dashes, primes, daggers, signs", "‐‑‒―†‡‰′″‾⁄※"),
    (NEEDED, "more punctuation", "‥‣‼⁉々〆〇〒〃〔〕〖〗〝〟〰"),
    # Letters.
    (NEEDED, "Latin-1", span(0xA0, 0xFF)),
    (NEEDED, "Latin Extended-A", span(0x100, 0x17F)),
    (NEEDED, "Romanian, Vietnamese", "ȘșȚțƠơƯư" + span(0x1EA0, 0x1EF9)),
    (NEEDED, "Pinyin", span(0x1CD, 0x1DC) + "Ǹǹ"),
    (NEEDED, "Azerbaijani, German capital sharp s, Yoruba, Welsh", "ƏəẞẸẹỌọṢṣẀẁẂẃẄẅ"),
    (NEEDED, "transliteration of Arabic, Hebrew, Hawaiian, Sanskrit", "ḤḥṬṭḌḍẒẓʻʼʾʿṛṇ"),
    (SELDOM, "phonetic alphabet of English", "ɑɒæʌɜɪʊʃʒθðŋɡɹɾʔˈˌː"),
    (NEEDED, "letters that stand for accents", "ˆˇ˘˙˚˛˜˝"),
    (NEEDED, "combining marks in use: decomposed European and Vietnamese text, strike-through, keycap",
     span(0x300, 0x304) + span(0x306, 0x30C) + "\u0323\u0325\u0326\u0327\u0328\u031b\u0331\u0332\u0335\u0336\u0338\u20e3"),
    (SELDOM, "more of them", "\u0305\u030f\u0311\u0313\u0314\u0324\u032d\u032e\u0330\u0333\u0337\u0342\u0345\u0361\u20d7"),
    (NEEDED, "Greek", "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫΆΈΉΊΌΎΏΐΰαβγδεζηθικλμνξοπρςστυφχψωϊϋάέήίόύώ\u0384΅"),
    (NEEDED, "Cyrillic of Russian, Ukrainian, Belarusian, Bulgarian, Serbian, Macedonian", span(0x400, 0x45F) + "Ґґ"),
    (NEEDED, "Cyrillic of Kazakh, Kyrgyz, Tatar, Mongolian, Tajik", "ӘәҒғҚқҢңӨөҰұҮүҺһҖҗӢӣӮӯҲҳҶҷ"),
    (COMMON, "Hebrew", span(0x5D0, 0x5EA)),
    (NEEDED, "niqqud and Yiddish", span(0x5B0, 0x5BC) + "\u05bd\u05bf\u05c1\u05c2\u05c7\u05f0\u05f1\u05f2"),
    (COMMON, "Arabic", span(0x621, 0x63A) + span(0x641, 0x64A)),
    (NEEDED, "harakat", span(0x64B, 0x655) + "\u0670ٱ"),
    (COMMON, "Arabic-Indic digits and those of Persian and Urdu", span(0x660, 0x669) + span(0x6F0, 0x6F9) + "٪٫٬"),
    (NEEDED, "Persian, Urdu, Kurdish, Pashto", "پچژگکیٹڈڑںھہۂۃےۓۀەۆێڵڕڤټډړږښڼۍ﷼ﷺﷲ"),
    (NEEDED, "Thai", span(0xE01, 0xE5B)),
    (NEEDED, "Devanagari of Hindi, Marathi, Nepali", span(0x901, 0x903) + span(0x905, 0x90B) + "ऍएऐऑओऔ" + span(0x915, 0x928)
     + span(0x92A, 0x930) + "लळव" + span(0x936, 0x939) + span(0x93C, 0x943) + "\u0945\u0947\u0948\u0949\u094b\u094c\u094d\u0950"
     + span(0x958, 0x95F) + span(0x966, 0x970) + "ॲऱ\u0944"),
    (NEEDED, "Bengali digits and taka", span(0x9E6, 0x9EF) + "৳"),
    (NEEDED, "hiragana and katakana", span(0x3041, 0x3096) + span(0x309B, 0x309E) + span(0x30A1, 0x30FE)),
    (NEEDED, "full-width forms", span(0xFF01, 0xFF5E) + "￠￡￥￣￦"),
    (COMMON, "Hangul letters by themselves, as in ㅋㅋ and ㅠㅠ", "ㅋㅎㅠㅜㄱㄴㄷㅇㅈㅊㅂㅅㄹㅁㅏㅡ"),
    # Signs.
    (COMMON, "currency", "₹₽₩₪₫₦₱₺₴₸₿฿"),
    (SELDOM, "other currencies", "₡₲₮₵₭₾₼₨₣₤"),
    (COMMON, "arrows", "→←↑↓↔⇒⇐⇔↗↘↙↖↕➜➡⬅⬆⬇"),
    (NEEDED, "more arrows", "↦↩↪↵↳↻↺⇑⇓⇧⇨⇄⇅⟶⟵⟹⤴⤵➔➝➞➤⏎⌃⌘⌥⌫⇥␣"),
    (SELDOM, "still more", "⇦⇩⇆⇌⟷⟸⟺⌦⎋⇤↰↱↲↴↶↷↠⇝⇢"),
    (COMMON, "mathematics", "−≤≥≠≈∞√∑∏∫∂∆∇∈∉⊂⊃∪∩∀∃∅∧∨⇔≡∝∴∵⋅∙∘"),
    (NEEDED, "more mathematics", "∋∓∖∗∠∣∥∬∮∼≃≅≔≜≢≪≫⊄⊆⊇⊕⊗⊥⊢⊤⊨⋃⋂⋆⋮⋯⋱⌈⌉⌊⌋⟨⟩"),
    (SELDOM, "still more", "∌∟∤∦∭≉≕≟≺≻⊈⊊⊖⊙⊣⊻⋀⋁⋰∄∁⟦⟧"),
    (NEEDED, "superscripts and subscripts", "⁰ⁱ⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₓₙᵢⱼₖ"),
    (COMMON, "letter-like", "№℃"),
    (NEEDED, "more letter-like", "℉ℓℝℕℤℚℂ℠ℹ⅓⅔⅛⅜⅝⅞"),
    (NEEDED, "Roman numerals, numbers in circles", span(0x2160, 0x216B) + span(0x2460, 0x2473)),
    (SELDOM, "more of them", span(0x2170, 0x2179) + span(0x2776, 0x277F)),
    (SELDOM, "units and signs of CJK", "㎏㎜㎝㎞㎡㎥㏄㎎㎖㈱㊙㊗"),
    (COMMON, "box drawing, light and double", "─│┌┐└┘├┤┬┴┼═║╔╗╚╝╠╣╦╩╬"),
    (NEEDED, "box drawing, heavy, dashed and rounded", "━┃┏┓┗┛┣┫┳┻╋╭╮╯╰┄┆┈┊╌╎╱╲╳"),
    (SELDOM, "box drawing between light and double", span(0x2550, 0x256C) + "┅┇┉┋╍╏╴╵╶╷╸╹╺╻"),
    (NEEDED, "block elements", "▀▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐░▒▓▔▕"),
    (SELDOM, "quadrants", span(0x2596, 0x259F)),
    (COMMON, "geometric shapes, stars, marks", "■□▪▫▲△▶▷▼▽◀◁◆◇○●◎◉◯◦★☆✓✔✗✘☐☑☒"),
    (NEEDED, "more of those", "▬▸▹►▾▿◂◄◈◊◐◑◕◢◣◤◥◻◼◽◾⬛⬜⭐❖✦✧✨✩✪✱✳✴✶✿❀❄❇"),
    (NEEDED, "other signs", "☀☁☂☃☎☕☛☞☠☢☣☮☯☹☺♀♂♠♡♣♤♥♦♧♩♪♫♬♭♮♯♻⚑⚓⚖⚙⚠⚡⚪⚫✂✈✉✌✍✏✖❌❎❓❗❝❞❤➕➖➗⌚⌛⏩⏪⏰⏱⏳⏸⏹"),
    (SELDOM, "replacement character, Braille blank", "\ufffd\u2800"),
    # Emoji beyond their frequencies.
    (COMMON, "parts of sequences: skin tones, regional indicators, gender signs, people, flags",
     span(0x1F3FB, 0x1F3FF) + span(0x1F1E6, 0x1F1FF) + "♀♂👩👨🧑👧👦🏳🏴"),
    (COMMON, "emoji that assistants write in lists and reports", "✅❌⚠ℹ🚀💡🔥✨🎉📌📝🔍🔧🛠🎯📊📈📉📁📂📄🔒🔑🐛🧪🤖👉🟢🟡🔴🟠🔵⏳⭐💻🌐📅🏁🗑📦🔗"),
    (NEEDED, "emoji younger than the counts", "🥲🥹🫠🫡🫣🫶🫰🫂🧡🤎🤍🖤"),
]

# The blocks of Han characters, for the report.
HAN = [(0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)]


def is_han(character):
    return any(first <= ord(character) <= last for first, last in HAN)


def is_allowed(character):
    """Printable beyond ASCII: no control characters, surrogates, private use, non-characters or unassigned code points."""
    if ord(character) <= 0x9F:
        return False
    category = unicodedata.category(character)
    return category not in ("Cc", "Cs", "Co", "Cn")


# Letters of scripts that are not covered occur in every list of words, as quotations; a few of a script help nobody.
SCRIPTS = (
    "LATIN GREEK CYRILLIC HEBREW ARABIC ARABIC-INDIC EXTENDED THAI DEVANAGARI BENGALI TAMIL HIRAGANA KATAKANA KATAKANA-HIRAGANA"
    " HANGUL CJK IDEOGRAPHIC FULLWIDTH HALFWIDTH MODIFIER COMBINING MICRO FEMININE MASCULINE"
).split()


def is_covered_letter(character):
    return unicodedata.category(character)[0] not in "LM" or unicodedata.name(character, "?").split()[0] in SCRIPTS


# --- The counts -----------------------------------------------------------------------------------------------------


def normalised(counts):
    total = sum(counts.values())
    return {character: count / total for character, count in counts.items()}


def characters_of_words(words):
    counts = collections.Counter()
    for word, frequency in words:
        for character in word:
            counts[character] += frequency
    return normalised(counts)


def shares_by_language():
    """The share that each character has in the letters of each language."""
    import brotli
    import fractions
    import json
    import lingua
    import opencc
    import wordfreq

    def of_wordfreq(language):
        return wordfreq.get_frequency_dict(language, "best").items()

    def of_lingua(language):
        path = pathlib.Path(lingua.__file__).parent / "language-models" / language / "unigrams.json.br"
        model = json.loads(brotli.decompress(path.read_bytes()))
        counts = {}
        for share, characters in model["ngrams"].items():
            counts.update(dict.fromkeys(characters.split(), float(fractions.Fraction(share))))
        return normalised(counts)

    shares = {language: characters_of_words(of_wordfreq(language)) for language in WORDFREQ}
    taiwan = opencc.OpenCC("s2tw")
    shares["zh-Hant"] = characters_of_words((taiwan.convert(word), share) for word, share in of_wordfreq("zh"))
    for language, model in BOTH.items():
        other = of_lingua(model)
        both = shares[language].keys() | other.keys()
        shares[language] = {c: (shares[language].get(c, 0) + other.get(c, 0)) / 2 for c in both}
    for language in LINGUA:
        shares[language] = of_lingua(language)
    return shares


def emoji_shares(shares):
    """The share that each character of emoji has in emoji: the mean over the languages whose lists have enough of them."""
    import emoji

    characters = {c for sequence in emoji.EMOJI_DATA for c in sequence if ord(c) > 0x2000 and is_allowed(c)}
    total, languages = collections.Counter(), 0
    for share in shares.values():
        found = {c: value for c, value in share.items() if c in characters}
        if len(found) >= EMOJI_LANGUAGE_MINIMUM:
            languages += 1
            total.update(normalised(found))
    return {character: value / languages for character, value in total.items()}


def scores(shares):
    """The score of each character; the module's README says what it means."""
    score = collections.Counter()
    for language, share in shares.items():
        for character, value in share.items():
            value *= WEIGHTS.get(language, 1)
            score[character] += value
            # What stands alone, has one capital and belongs to a word: the share of its capital.
            capital = character.upper()
            if len(capital) == 1 and capital != character:
                score[capital] += value * CAPITALS
    for character, value in emoji_shares(shares).items():
        score[character] = max(score[character], value * EMOJI_SHARE * len(shares))
    score = collections.Counter({c: value for c, value in score.items() if is_covered_letter(c)})
    for floor, _, characters in ARGUED:
        for character in characters:
            score[character] = max(score[character], floor)
    return {c: value for c, value in score.items() if is_allowed(c)}


# --- The file -------------------------------------------------------------------------------------------------------


def displays_alone(character):
    """Whether the character looks like itself in an editor, leaves its neighbours alone and outlives normalisation."""
    if unicodedata.normalize("NFC", character) != character:
        return False
    return unicodedata.category(character)[0] not in "MZC" and unicodedata.bidirectional(character) not in ("R", "AL", "AN", "BN")


def literal(character):
    # Skin tones join the emoji before them, and regional indicators each other.
    joins = 0x1F1E6 <= ord(character) <= 0x1F1FF or 0x1F3FB <= ord(character) <= 0x1F3FF
    young = character > "\U00010000" and not unicodedata.name(character, "")
    return character if displays_alone(character) and not joins and not young else f"\\u{{{ord(character):x}}}"


DOCS = '''\
//! The characters that the wide keymap of an owned display holds besides US ASCII, most needed first: a keymap takes as many
//! from the front as it has places for, and the last of those are the first to give way to what a text needs instead.
//!
//! Written by `xvfb/keymap/choose_characters.py`, which is also how to make it again; `xvfb/keymap/README.md` says how the
//! order comes about and what share of real texts needs nothing else. The frequencies are those of the characters in the
//! words of `wordfreq` {wordfreq} ({count} languages; Wikipedia, subtitles, news, books, the web, Twitter and Reddit until
//! 2021), for traditional Chinese converted by `OpenCC` {opencc}; for Korean, traditional Chinese and {more} languages without
//! a list there, the letters of newspaper texts as `lingua-language-detector` {lingua} counts them. Capitals, punctuation and
//! signs, which those leave out, have scores that the program argues. Chosen in {made}, with Unicode {unicode}.

/// The characters in the order of need, {per_line} a line; the line ends are no part of it.
#[rustfmt::skip]
pub static WIDE_CHARACTERS: &str = "\\
'''


def rust(ranked):
    versions = {part.split("==")[0]: part.split("==")[1] for part in INPUTS}
    docs = DOCS.format(
        wordfreq=versions["wordfreq"],
        opencc=versions["OpenCC"],
        lingua=versions["lingua-language-detector"],
        count=len(WORDFREQ),
        more=len(LINGUA),
        made=MADE,
        unicode=unicodedata.unidata_version,
        per_line=PER_LINE,
    )
    lines = ["".join(map(literal, ranked[at : at + PER_LINE])) for at in range(0, len(ranked), PER_LINE)]
    return docs + "\\\n".join(lines) + '";\n'


def report(ranked, score, shares):
    """For whoever changes the lists: how the places are shared out and what is left uncovered."""
    for places in (4000, 4500, 5000, 5300, len(ranked)):
        taken = set(ranked[:places])
        kinds = collections.Counter(
            "Han" if is_han(c) else unicodedata.name(c).split()[0] if unicodedata.category(c)[0] in "LM" else "signs"
            for c in taken
        )
        left = {
            language: round(100 * sum(v for c, v in share.items() if ord(c) > 126 and c not in taken), 2)
            for language, share in shares.items()
        }
        print(places, f"score {score[ranked[places - 1]]:.2g}", kinds.most_common(14), file=sys.stderr)
        print("    uncovered %:", sorted(left.items(), key=lambda item: -item[1])[:12], file=sys.stderr)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--work", type=pathlib.Path, help="where the virtual environment is, or is made")
    arguments.add_argument("--report", action="store_true", help="say on standard error how the places are shared out")
    options = arguments.parse_args()
    if INSIDE not in os.environ:
        with tempfile.TemporaryDirectory(prefix="choose-characters-") as temporary:
            work = options.work or pathlib.Path(temporary)
            python = work / "bin/python3"
            if not python.exists():
                venv.create(work, with_pip=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *INPUTS]
            subprocess.run(pip, check=True)
            sys.exit(subprocess.run([python, __file__, *sys.argv[1:]], env={**os.environ, INSIDE: "1"}).returncode)
    shares = shares_by_language()
    score = scores(shares)
    ranked = sorted(score, key=lambda c: (-score[c], c))[:WANTED]
    if options.report:
        report(ranked, score, shares)
    previous = OUTPUT.read_text() if OUTPUT.exists() else ""
    tests = previous[previous.find("\n#[cfg(test)]") :] if "\n#[cfg(test)]" in previous else ""
    OUTPUT.write_text(rust(ranked) + tests)


if __name__ == "__main__":
    main()
