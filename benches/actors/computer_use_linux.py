"""The crate computer-use-linux: its own MCP server."""

from .mcp import OverMcp


class ComputerUseLinux(OverMcp):
    name = "computer-use-linux"
    how = "its MCP server"
    can = ("screenshot", "click", "type")
    version = "0.7.36"

    @classmethod
    def prepare(cls, install):
        # What it finds and drives windows with on X11, by its documentation.
        install.debian("wmctrl", "wmctrl")
        install.debian("xprop", "x11-utils")
        install.debian("xdotool", "xdotool")
        cls.program = install.crate("computer-use-linux", cls.version)

    def command(self):
        return [self.program, "mcp"]

    def environment(self):
        # Without the picture of a hand on the screen, which would be in the others' screenshots, and its 0.35 s of waiting for it.
        return super().environment() | {"COMPUTER_USE_LINUX_INDICATOR": "0"}

    def request(self, action, *details):
        match action:
            case "screenshot":
                return self.tool("screenshot", {"full_screen": True})
            case "click":
                return self.tool("click", {"x": details[0], "y": details[1]})
            case _:
                return self.tool("type_text", {"text": details[0]})
