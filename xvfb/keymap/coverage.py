#!/usr/bin/env python3
"""Measures what share of real texts the wide keymap holds whole, so that typing them needs no change of the keymap.

    xvfb/keymap/coverage.py [PLACES] [--work DIRECTORY] [--write]

PLACES (default 5032) is how many characters of `src/plan/tables/wide_characters.rs` the keymap takes. The texts are those of
Debian packages (SOURCES), which `apt-get download` fetches into DIRECTORY (default: a temporary one); none of them is a source
of the frequencies. A text is a paragraph or a message of at least 20 characters in the language's own script. Prints a Markdown
table; `--write` puts it into `README.md` beside this file.
"""

import argparse
import collections
import gettext
import html
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE.parent.parent / "src/plan/tables/wide_characters.rs"
README = HERE / "README.md"
BEGIN, END = "<!-- coverage.py writes from here -->", "<!-- to here -->"

SHORTEST = 20

# Kinds of source: what the column says, the package for a language, where its texts lie.
HELP = "help of LibreOffice"
MESSAGES = "interface of LibreOffice"
NOVEL = "stories of Wesnoth"
STORIES = "httt utbs low ei nr tsg did dm".split()

# (language, the range of characters that a text must have one of, [(kind, its name for the language)]).
LATIN, CYRILLIC, GREEK = "A-Za-z", "\u0400-\u04ff", "\u0370-\u03ff"
SOURCES = [
    ("English", LATIN, [(HELP, "en-US"), (NOVEL, "en_GB")]),
    ("German", LATIN, [(HELP, "de"), (NOVEL, "de")]),
    ("French", LATIN, [(HELP, "fr"), (NOVEL, "fr")]),
    ("Spanish", LATIN, [(HELP, "es"), (NOVEL, "es")]),
    ("Polish", LATIN, [(HELP, "pl"), (NOVEL, "pl")]),
    ("Turkish", LATIN, [(HELP, "tr"), (NOVEL, "tr")]),
    ("Vietnamese", LATIN, [(MESSAGES, "vi"), (NOVEL, "vi")]),
    ("Russian", CYRILLIC, [(HELP, "ru"), (NOVEL, "ru")]),
    ("Greek", GREEK, [(HELP, "el"), (NOVEL, "el")]),
    ("Hebrew", "\u0590-\u05ff", [(MESSAGES, "he"), (NOVEL, "he")]),
    ("Arabic", "\u0600-\u06ff", [(MESSAGES, "ar")]),
    ("Hindi", "\u0900-\u097f", [(HELP, "hi"), (MESSAGES, "hi")]),
    ("Thai", "\u0e00-\u0e7f", [(MESSAGES, "th")]),
    ("Chinese, simplified", "\u4e00-\u9fff", [(HELP, "zh-CN"), (NOVEL, "zh_CN")]),
    ("Chinese, traditional", "\u4e00-\u9fff", [(HELP, "zh-TW"), (NOVEL, "zh_TW")]),
    ("Japanese", "\u3040-\u30ff\u4e00-\u9fff", [(HELP, "ja"), (NOVEL, "ja")]),
    ("Korean", "\uac00-\ud7a3", [(HELP, "ko"), (NOVEL, "ko")]),
]


def wide_characters():
    """The characters of the table, most needed first."""
    text = TABLE.read_text()
    body = re.search(r'WIDE_CHARACTERS: &str = "(.*?)";', text, re.DOTALL)[1].replace("\\\n", "")
    return re.sub(r"\\u\{([0-9a-f]+)\}", lambda match: chr(int(match[1], 16)), body)


# --- The texts ------------------------------------------------------------------------------------------------------


def unpacked(package, work):
    """The directory with the package's files, and its version."""
    directory = work / package
    if not any(work.glob(f"{package}_*.deb")):
        # As root it warns that its own user may not write there; what is wrong it says with its status.
        command = ["apt-get", "download", "--quiet", package]
        subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    archive = next(work.glob(f"{package}_*.deb"))
    if not directory.exists():
        subprocess.run(["dpkg-deb", "--extract", archive, directory], check=True)
    fields = subprocess.run(["dpkg-deb", "--field", archive, "Version"], check=True, capture_output=True, text=True)
    return directory, fields.stdout.strip()


PARAGRAPH = re.compile(r"<(p|h[1-6])\b[^>]*>(.*?)</\1>", re.DOTALL)


def paragraphs(page):
    """The texts of the paragraphs and headings of a page of LibreOffice's help, without its frame."""
    _, _, content = page.partition('id="DisplayArea"')
    return [html.unescape(without_tags(inside)) for _, inside in PARAGRAPH.findall(content)]


def without_tags(text):
    return re.sub(r"<[^>]*>", "", text)


def texts_of_help(language, work):
    directory, version = unpacked(f"libreoffice-help-{language.lower()}", work)
    texts = []
    for page in sorted(directory.glob(f"usr/share/libreoffice/help/{language}/text/**/*.html")):
        texts += paragraphs(page.read_text())
    return texts, version


def texts_of_catalogue(path):
    with path.open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # noqa: SLF001 - there is no other way to list it
    return [text for source, text in catalogue.items() if source and text != source]


def texts_of_messages(language, work):
    directory, version = unpacked(f"libreoffice-l10n-{language}", work)
    paths = sorted(directory.glob(f"usr/lib/libreoffice/program/resource/{language}/LC_MESSAGES/*.mo"))
    return [text for path in paths for text in texts_of_catalogue(path)], version


def texts_of_stories(language, work):
    texts, version = [], ""
    for story in STORIES:
        directory, version = unpacked(f"wesnoth-1.16-{story}", work)
        path = directory / f"usr/share/games/wesnoth/1.16/locale/{language}/LC_MESSAGES/wesnoth-{story}.mo"
        if path.exists():
            # A message is one speech or paragraph; stories have several, and mark-up for the screen.
            texts += [without_tags(part) for text in texts_of_catalogue(path) for part in text.split("\n")]
    return texts, version


READERS = {HELP: texts_of_help, MESSAGES: texts_of_messages, NOVEL: texts_of_stories}


def usable(texts, script):
    """Each text once, its spaces as one, long enough and in the language."""
    spaced = dict.fromkeys(re.sub(r"[ \t\r\n]+", " ", text).strip() for text in texts)
    return [text for text in spaced if len(text) >= SHORTEST and re.search(f"[{script}]", text)]


# --- The measure ----------------------------------------------------------------------------------------------------


def percent(part, whole):
    """Rounded down, so that 100 means all."""
    tenths = part * 10000 // whole
    return "100" if part == whole else f"{tenths / 100:.2f}"


def row(language, kind, texts, version, held, missing):
    whole, characters, inside = 0, 0, 0
    for text in texts:
        absent = [character for character in text if character not in held]
        whole += not absent
        characters += len(text)
        inside += len(text) - len(absent)
        missing.update(absent)
    middle = sorted(map(len, texts))[len(texts) // 2]
    cells = [language, f"{kind} ({version})", f"{len(texts):,}", str(middle), percent(whole, len(texts)), percent(inside, characters)]
    return "| " + " | ".join(cells) + " |"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("places", nargs="?", type=int, default=4822, help="how many characters the keymap takes")
    arguments.add_argument("--work", type=pathlib.Path, help="where packages are kept from one run to the next")
    arguments.add_argument("--write", action="store_true", help="put the table into README.md")
    arguments.add_argument("--missing", action="store_true", help="say on standard error what is missing most")
    options = arguments.parse_args()
    held = set(map(chr, range(0x20, 0x7F))) | set(wide_characters()[: options.places])
    lines = [
        f"| language | texts ({options.places:,} characters held) | number | middle length | % of texts without remap | % of characters |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory(prefix="coverage-") as temporary:
        work = (options.work or pathlib.Path(temporary)).resolve()
        work.mkdir(parents=True, exist_ok=True)
        for language, script, sources in SOURCES:
            for kind, name in sources:
                texts, version = READERS[kind](name, work)
                texts, missing = usable(texts, script), collections.Counter()
                if not texts:
                    sys.exit(f"{language}: no texts in the {kind}")
                lines.append(row(language, kind, texts, version, held, missing))
                if options.missing:
                    print(language, kind, missing.most_common(20), file=sys.stderr)
    table = "\n".join(lines)
    print(table)
    if options.write:
        before, rest = README.read_text().split(BEGIN)
        _, after = rest.split(END)
        README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main()
