# Sourced by xvfb/demo and tests/run: says which programs are missing and installs their Debian packages.
# shellcheck shell=bash

missing_packages=()

say() { printf '%s\n' "$*"; }
fail() { printf '%s: %s\n' "$0" "$*" >&2; exit 1; }

# need PROGRAM PACKAGE…: remembers the packages when the program is not there.
need() {
    local program=$1
    shift
    command -v "$program" >/dev/null || missing_packages+=("$@")
}

# need_file FILE PACKAGE…: the same for a file.
need_file() {
    local file=$1
    shift
    [ -e "$file" ] || missing_packages+=("$@")
}

# A browser of the Chromium family. Ubuntu ships it only as a snap, which sees neither a private display's cookie nor our
# folders, so there it has to come from somewhere else.
need_browser() {
    local program
    for program in chromium google-chrome chromium-browser; do
        if command -v "$program" >/dev/null && [[ $(readlink -f "$(command -v "$program")") != */snap* ]]; then return; fi
    done
    if grep -qi '^ID=ubuntu' /etc/os-release; then
        fail "no browser: Ubuntu has Chromium only as a snap, which cannot use a private display. Install Google Chrome's .deb, or run this in a Debian container"
    fi
    # The sandbox's helper is for kernels without user namespaces for everybody.
    missing_packages+=(chromium chromium-sandbox)
}

# A linker, and the C library's static half, which the static binary takes in.
need_build() {
    need cc gcc
    need_file /usr/include/stdio.h libc6-dev
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then PATH="$HOME/.cargo/bin:$PATH"; fi
    command -v cargo >/dev/null || fail "cargo is missing. Get Rust 1.88 or newer with rustup (https://rustup.rs), then run this again"
}

# The programs of the demo's desktop.
need_desktop() {
    need Xvfb xvfb
    need xauth xauth
    need openbox openbox
    need xterm xterm
    need mousepad mousepad
    need xsetroot x11-xserver-utils
    need_file /usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf fonts-dejavu-core
    need_browser
}

# The further applications of tests/apps.
need_applications() {
    need urxvt rxvt-unicode
    need st stterm
    need xfce4-terminal xfce4-terminal
    need featherpad featherpad
    need lowriter libreoffice-writer
    need localc libreoffice-calc
    need emacs-lucid emacs-lucid
    need firefox-esr firefox-esr
    need xfwm4 xfwm4
    need dbus-run-session dbus-daemon
    # Debian's own Python, for which alone its Tk is.
    need_file /usr/share/doc/python3-tk python3-tk
}

# An X client for tests, written in Python.
need_python_xlib() {
    need_file /usr/lib/python3/dist-packages/Xlib/__init__.py python3-xlib
}

need_python() {
    need python3 python3 python3-venv
    if command -v python3 >/dev/null && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then missing_packages+=(python3-venv); fi
}

# The toolkits of the tests' probes, for the distribution's own Python.
need_toolkits() {
    local python=/usr/bin/python3
    need_file "$python" python3
    "$python" -c 'import gi; gi.require_version("Gtk", "3.0")' 2>/dev/null || missing_packages+=(python3-gi gir1.2-gtk-3.0)
    "$python" -c 'import PyQt5.QtWidgets' 2>/dev/null || missing_packages+=(python3-pyqt5)
    "$python" -c 'import tkinter' 2>/dev/null || missing_packages+=(python3-tk)
}

# Installs what was found missing; silent when nothing is.
install_missing() {
    [ ${#missing_packages[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "missing: ${missing_packages[*]} (names of Debian packages); there is no apt-get to install them with"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || fail "missing: ${missing_packages[*]}; run this as root or install sudo"
        as_root=(sudo)
    fi
    say "installing with apt-get: ${missing_packages[*]}"
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing_packages[@]}" >/dev/null
    missing_packages=()
}

# python_with_websockets DIRECTORY: a Python that has the package `websockets`, in a virtual environment if need be. Sets
# PYTHON.
python_with_websockets() {
    PYTHON=python3
    if python3 -c 'import websockets.sync.client' 2>/dev/null; then return; fi
    PYTHON=$1/bin/python
    if "$PYTHON" -c 'import websockets.sync.client' 2>/dev/null; then return; fi
    say "installing the Python package websockets into $1"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check 'websockets>=13'
}
