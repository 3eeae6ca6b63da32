"""The crate computer-use: its own program, which takes JSON lines on standard input."""

from .base import Requested


class ComputerUse(Requested):
    name = "computer-use"
    how = "its `serve`, JSON lines; tier activate"
    tier = {"tier": "activate"}
    can = ("screenshot", "click", "type")
    version = "0.3.2"

    @classmethod
    def prepare(cls, install):
        for file, package in (
            ("/usr/include/xdo.h", "libxdo-dev"), ("/usr/include/xcb/randr.h", "libxcb-randr0-dev"),
            ("/usr/include/dbus-1.0/dbus/dbus.h", "libdbus-1-dev"), ("/usr/include/xkbcommon/xkbcommon.h", "libxkbcommon-dev"),
            ("/usr/include/pipewire-0.3/pipewire/pipewire.h", "libpipewire-0.3-dev"), ("/usr/include/EGL/egl.h", "libegl-dev"),
            ("/usr/include/gbm.h", "libgbm-dev"), ("/usr/include/wayland-client.h", "libwayland-dev"),
        ):  # fmt: skip
            install.debian_file(file, package)
        install.debian("pkg-config", "pkg-config")
        install.debian("clang", "clang", "libclang-dev")
        cls.program = install.crate("computer-use", cls.version)

    def start(self):
        self.start_program([self.program, "serve"])

    def request(self, action, *details):
        match action:
            case "screenshot":
                # Its default is a picture of at most 1440 pixels' width; everybody here makes a whole one.
                return {"id": 1, "action": "screenshot", "base64": True, "max_width": 0}
            case "click":
                return {"id": 1, "action": "click", "x": details[0], "y": details[1]} | self.tier
            case _:
                return {"id": 1, "action": "type", "text": details[0]} | self.tier


class ByDefault(ComputerUse):
    """Without a tier: it says that it has clicked."""

    name, how, tier, can = "computer-use, default tier", "its `serve`, JSON lines", {}, ("click",)
    loses = True
