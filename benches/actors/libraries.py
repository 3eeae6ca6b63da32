"""Libraries, each inside a small program of ours that keeps it open."""

from harness.place import ROOT

from .base import SelfTimed

HERE = ROOT / "benches/peers"


class RustLibrary(SelfTimed):
    how = "crate, timed in the process"
    crate = ""

    @classmethod
    def prepare(cls, install):
        cls.program = install.own_program(f"bench-{cls.crate}")
        cls.version = install.locked_version(cls.crate)

    def start(self):
        self.start_program([self.program])


class Enigo(RustLibrary):
    name, crate = "enigo", "enigo"
    can = ("click", "type")


class Xcap(RustLibrary):
    name, crate = "xcap", "xcap"
    can = ("screenshot",)

    @classmethod
    def prepare(cls, install):
        for file, package in (
            ("/usr/include/xcb/xcb.h", "libxcb1-dev"), ("/usr/include/xcb/randr.h", "libxcb-randr0-dev"),
            ("/usr/include/pipewire-0.3/pipewire/pipewire.h", "libpipewire-0.3-dev"), ("/usr/include/EGL/egl.h", "libegl-dev"),
            ("/usr/include/gbm.h", "libgbm-dev"), ("/usr/include/wayland-client.h", "libwayland-dev"),
        ):  # fmt: skip
            install.debian_file(file, package)
        install.debian("pkg-config", "pkg-config")
        install.debian("clang", "clang", "libclang-dev")
        super().prepare(install)


class PythonLibrary(SelfTimed):
    how = "Python package, timed in the process"
    packages, script = (), ""

    @classmethod
    def prepare(cls, install):
        cls.python = install.pypi(*cls.packages)
        cls.version = ", ".join(package.replace("==", " ") for package in cls.packages)

    def start(self):
        self.start_program([self.python, HERE / self.script])


class Mss(PythonLibrary):
    name, script = "mss + Pillow", "python_mss.py"
    packages = ("mss==10.2.0", "pillow==13.0.0")
    can = ("screenshot",)


class PyAutoGui(PythonLibrary):
    name, script = "pyautogui", "python_pyautogui.py"
    # Its screenshots come from Pillow.
    packages = ("PyAutoGUI==0.9.54", "pillow==13.0.0")
    can = ("screenshot", "click", "type")
