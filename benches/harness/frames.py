"""The six kinds of content, each as two pictures of every size: what the screen shows, and what it changes into.

Terminal, document and page are what real programs draw (xterm, headless Chromium); photo, gradient and noise are computed,
the photo with the spectrum of a natural picture and a sensor's grain. They are made once and kept under target/."""

import functools
import math
import pathlib
import shutil
import subprocess

import numpy
from PIL import Image

from .errors import Failed
from .place import ROOT, Place, wait_for

KINDS = ("terminal", "document", "page", "photo", "gradient", "noise")
VERSION = "2"  # a new number makes all pictures anew
PAGES = pathlib.Path(__file__).resolve().parent.parent / "content"
SEEDS = (7, 11)  # of the two pictures of a pair


def bgrx(rgb):
    """Bytes as an X server of depth 24 has them."""
    padded = numpy.zeros((*rgb.shape[:2], 4), numpy.uint8)
    padded[..., :3] = rgb[..., ::-1]
    return padded.tobytes()


def noise(width, height, seed):
    return numpy.random.default_rng(seed).integers(0, 256, (height, width, 3), numpy.uint8)


def gradient(width, height, seed):
    """Diagonal, a full turn of each channel at its own pace, without steps that an encoder could repeat."""
    x, y = numpy.meshgrid(numpy.linspace(0, 1, width), numpy.linspace(0, 1, height))
    waves = [numpy.sin(math.tau * (x * (0.4 + 0.1 * channel) + y * 0.6) + seed + channel) for channel in range(3)]
    return (127.5 + 127.4 * numpy.stack(waves, -1)).astype(numpy.uint8)


def photo(width, height, seed):
    """Energy falls with the square of the frequency, as in natural pictures; the channels are alike, and there is grain."""
    random = numpy.random.default_rng(seed)
    frequencies = numpy.hypot(numpy.fft.fftfreq(height)[:, None], numpy.fft.rfftfreq(width)[None, :])
    frequencies[0, 0] = 1.0

    def field():
        spectrum = numpy.fft.rfft2(random.standard_normal((height, width))) / frequencies**1.2
        spectrum[0, 0] = 0
        plane = numpy.fft.irfft2(spectrum, (height, width))
        return plane / plane.std()

    light = field()
    channels = [120 + 45 * light + 15 * field() + 1.5 * random.standard_normal((height, width)) for _ in range(3)]
    return numpy.clip(numpy.stack(channels, -1), 0, 255).astype(numpy.uint8)


def browser():
    for name in ("chromium", "google-chrome", "chromium-browser"):
        if found := shutil.which(name):
            return found
    raise Failed("no Chromium to draw pages with: apt-get install chromium")


def drawn_by_browser(bench, page, seed, size, target):
    """A page's picture; the seed goes into its address."""
    home = bench.folder / "frames-home"
    picture = bench.folder / "page.png"
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1",
        "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--disable-extensions", f"--user-data-dir={home}", f"--window-size={size[0]},{size[1]}",
        f"--screenshot={picture}", f"file://{page}#{seed}",
    ]  # fmt: skip
    environment = bench.processes.environment(HOME=str(home))
    home.mkdir(exist_ok=True)
    process = bench.processes.start(command, environment)
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        raise Failed(f"Chromium does not draw {page.name} within 120 s") from None
    finally:
        bench.processes.stop(process)
    image = Image.open(picture).convert("RGB")
    if image.size != size:
        raise Failed(f"Chromium draws {page.name} with {image.size} instead of {size}")
    target.write_bytes(bgrx(numpy.asarray(image)))


def drawn_by_xterm(bench, seed, size, target):
    """A screen full of a listing in colours, as xterm draws it."""
    marks = bench.folder / f"terminal-{seed}"
    with Place(bench, *size, for_client=False) as place:
        # A little larger than the screen, which has no window manager: its characters are 9×18.
        columns, lines = size[0] // 9 + 2, size[1] // 18 + 2
        script = ["python3", PAGES / "listing.py", str(seed), str(columns), str(lines), marks]
        look = ["-geometry", f"{columns}x{lines}+0+0", "-bg", "#11161c", "-fg", "#e6e6e6", "-fa", "DejaVu Sans Mono", "-fs", "11", "-e"]
        place.start(["xterm", *look, *script])
        wait_for("the terminal's text", marks.exists)
        file = place.folder / "screen.png"
        command = [bench.binary, "call", "screenshot", "{}", "--url", f"ws://{place.address}", "-o", file]
        token = place.folder / "token"
        token.write_text(place.token)
        token.chmod(0o600)
        ended = subprocess.run([*map(str, command), "--token-file", str(token)], capture_output=True, text=True)
        if ended.returncode != 0:
            raise Failed(f"no picture of the terminal: {ended.stderr.strip()[:200]}")
        image = numpy.asarray(Image.open(file).convert("RGB"))
    marks.unlink()
    target.write_bytes(bgrx(image))


@functools.cache
def make(bench, kind, size):
    """The files of the two pictures."""
    folder = bench.target / f"frames-{VERSION}" / f"{size[0]}x{size[1]}"
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{kind}-{seed}.bgrx" for seed in SEEDS]
    for seed, file in zip(SEEDS, files):
        if file.exists():
            continue
        bench.say(f"drawing {kind} at {size[0]}x{size[1]}")
        unfinished = file.with_suffix(".part")
        if kind == "terminal":
            drawn_by_xterm(bench, seed, size, unfinished)
        elif kind == "page":
            drawn_by_browser(bench, ROOT / "benches/content/page.html", seed, size, unfinished)
        elif kind == "document":
            drawn_by_browser(bench, ROOT / "benches/content/document.html", seed, size, unfinished)
        else:
            unfinished.write_bytes(bgrx({"photo": photo, "gradient": gradient, "noise": noise}[kind](*size, seed)))
        unfinished.rename(file)
    return files


def show(place, kind):
    """Covers the place's screen with it."""
    files = make(place.bench, kind, (place.width, place.height))
    place.client("frames", width=place.width, height=place.height, files=[str(file) for file in files])


def same(png, file, size):
    """Whether a picture's pixels are those of a file; what differs, if not."""
    import io

    image = Image.open(io.BytesIO(png)).convert("RGB")
    if image.size != size:
        return f"the picture is {image.size[0]}x{image.size[1]}"
    wanted = numpy.fromfile(file, numpy.uint8).reshape(size[1], size[0], 4)[..., 2::-1]
    wrong = (numpy.asarray(image) != wanted).any(-1).mean()
    return f"{wrong:.1%} of the picture's pixels are not the screen's" if wrong > 0 else ""
