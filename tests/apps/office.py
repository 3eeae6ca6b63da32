"""LibreOffice. It saves flat OpenDocument files, in which the text can be read without guessing at a character set."""

import xml.etree.ElementTree as xml

from applications import Editor

NAMES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "number": "urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0",
}
DECLARED = " ".join(f'xmlns:{short}="{long}"' for short, long in NAMES.items())

# What changes text as it is typed, what asks and what shows tips.
SETTINGS = {
    "/org.openoffice.Office.Common/AutoCorrect": dict.fromkeys(
        ("ChangeUnderlineWeight", "SetInetAttribute", "SetDOIAttribute", "ChangeOrdinalNumber", "AddNonBreakingSpace",
         "TransliterateRTL", "ChangeAngleQuotes", "ChangeDash", "RemoveDoubleSpaces", "ReplaceSingleQuote", "ReplaceDoubleQuote",
         "CorrectAccidentalCapsLock", "TwoCapitalsAtStart", "CapitalAtSentenceStart", "UseReplacementTable"), False),
    "/org.openoffice.Office.Common/Misc": {"ShowTipOfTheDay": False, "FirstRun": False},
    "/org.openoffice.Office.Common/Save/Document": {"WarnAlienFormat": False, "AutoSave": False},
    "/org.openoffice.Office.Writer/AutoFunction/Format/ByInput": dict.fromkeys(("Enable",), False),
    "/org.openoffice.Office.Writer/AutoFunction/Completion": dict.fromkeys(("Enable", "CollectWords", "ShowAsTip"), False),
    "/org.openoffice.Office.Calc/Input": {"AutoInput": False},
    "/org.openoffice.Office.Linguistic/SpellChecking": {"IsSpellAuto": False},
    "/org.openoffice.Setup/Office": {"ooSetupInstCompleted": True, "LastCompatibilityCheckID": ""},
    "/org.openoffice.Office.Common/Accessibility": {},
}  # fmt: skip


def settings_file():
    items = []
    for path, properties in SETTINGS.items():
        for name, value in properties.items():
            shown = str(value).lower() if isinstance(value, bool) else value
            items.append(f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{shown}</value></prop></item>')
    start = '<?xml version="1.0" encoding="UTF-8"?>\n<oor:items xmlns:oor="http://openoffice.org/2001/registry">'
    return start + "\n".join(items) + "</oor:items>\n"


def plain_text(element):
    """The characters of a paragraph: runs of spaces, tabs and line breaks are elements."""
    parts = [element.text or ""]
    for child in element:
        kind = child.tag.removeprefix(f"{{{NAMES['text']}}}")
        if kind == "s":
            parts.append(" " * int(child.get(f"{{{NAMES['text']}}}c", "1")))
        elif kind == "tab":
            parts.append("\t")
        elif kind == "line-break":
            parts.append("\n")
        elif kind not in ("soft-page-break", "bookmark"):
            parts.append(plain_text(child))
        parts.append(child.tail or "")
    return "".join(parts)


class Office(Editor):
    # How it draws and takes keys: "gen" is what there is without recommended packages.
    plugin = "gen"

    def start(self):
        profile = self.folder / "profile"
        (profile / "user").mkdir(parents=True, exist_ok=True)
        (profile / "user/registrymodifications.xcu").write_text(settings_file())
        return self.desktop.start(
            ["soffice", f"-env:UserInstallation={profile.as_uri()}", "--norestore", "--nologo", "--nofirststartwizard", self.file],
            home=self.folder, environment={"SAL_USE_VCLPLUGIN": self.plugin},
        )  # fmt: skip

    def finish_saving(self):
        # It throws away keys that come while it saves; when it has, its buttons change.
        self.desktop.settle(quiet=0.3, limit=3)

    def saved(self):
        try:
            return self.read(xml.fromstring(self.file.read_bytes()))
        except (FileNotFoundError, xml.ParseError):
            return ""


class Writer(Office):
    name, window_class, file_name = "LibreOffice Writer", "libreoffice", "note.fodt"
    text_at = (300, 0.55)
    triple_selects = "a sentence"
    empty = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document {DECLARED} office:version="1.2" '
        'office:mimetype="application/vnd.oasis.opendocument.text"><office:styles><style:default-style style:family="paragraph">'
        # Up goes to the place above, which is a certain character where all have one width.
        '<style:text-properties fo:font-family="\'DejaVu Sans Mono\'" fo:font-size="10pt"/></style:default-style></office:styles>'
        "<office:body><office:text><text:p/></office:text></office:body></office:document>\n"
    ).encode()

    def read(self, root):
        body = root.find("office:body/office:text", NAMES)
        return "\n".join(plain_text(line) for line in body.findall("text:p", NAMES))


class WriterGtk(Writer):
    name, plugin = "LibreOffice Writer, GTK 3", "gtk3"


class Calc(Office):
    """Its text goes down the first column, a line a cell. The column is for text, or it would count what looks like numbers."""

    name, window_class, file_name = "LibreOffice Calc", "libreoffice", "note.fods"
    # The column ends 120 pixels from the left, and every action begins in it.
    text_at = (60, 0.55)
    empty = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<office:document {DECLARED} office:version="1.2" '
        'office:mimetype="application/vnd.oasis.opendocument.spreadsheet"><office:automatic-styles>'
        '<number:text-style style:name="N1"><number:text-content/></number:text-style>'
        '<style:style style:name="text" style:family="table-cell" style:data-style-name="N1"/></office:automatic-styles>'
        '<office:body><office:spreadsheet><table:table table:name="Sheet1">'
        '<table:table-column table:number-columns-repeated="4" table:default-cell-style-name="text"/>'
        '<table:table-row table:number-rows-repeated="1000"><table:table-cell table:number-columns-repeated="4"/></table:table-row>'
        "</table:table></office:spreadsheet></office:body></office:document>\n"
    ).encode()

    def clear(self):
        self.desk("key", text="ctrl+Home ctrl+shift+End Delete ctrl+Home")

    def fill(self, text):
        super().fill(text + "\n")

    def wait_until_holds(self, text):
        super().wait_until_holds(text.rstrip("\n"))

    def cells(self):
        """The rows, each a list of its cells' texts; nothing empty at the ends."""
        try:
            root = xml.fromstring(self.file.read_bytes())
        except (FileNotFoundError, xml.ParseError):
            return []
        return self._cells(root)

    def _cells(self, root):
        rows = []
        for row in root.iterfind("office:body/office:spreadsheet/table:table//table:table-row", NAMES):
            cells = []
            for cell in row:
                text = "\n".join(plain_text(line) for line in cell.findall("text:p", NAMES))
                # Repeated cells are empty ones up to the sheet's edge.
                repeated = int(cell.get(f"{{{NAMES['table']}}}number-columns-repeated", "1"))
                cells += [text] * min(repeated, 8)
            while cells and not cells[-1]:
                cells.pop()
            repeated = int(row.get(f"{{{NAMES['table']}}}number-rows-repeated", "1"))
            rows += [cells] * (repeated if cells else min(repeated, 200))
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def read(self, root):
        return "\n".join(row[0] if row else "" for row in self._cells(root))
