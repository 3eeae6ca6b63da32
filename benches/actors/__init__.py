"""What is measured: Deskhand, its peers, and the limits. Each is one class that says what it can do."""

from . import commands, cua_computer_server, cua_driver, computer_use, computer_use_linux, libraries, x11vnc

PEERS = [
    commands.Scrot,
    commands.Maim,
    commands.Import,
    commands.GnomeScreenshot,
    commands.Xdotool,
    libraries.Enigo,
    libraries.Xcap,
    libraries.Mss,
    libraries.PyAutoGui,
    computer_use.ComputerUse,
    computer_use.ByDefault,
    computer_use_linux.ComputerUseLinux,
    cua_computer_server.CuaComputerServer,
    cua_driver.OverMcp,
    cua_driver.OverMcpWithImport,
    cua_driver.OverSocket,
    cua_driver.OverSocketWithImport,
    x11vnc.X11vnc,
]
