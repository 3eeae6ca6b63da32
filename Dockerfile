# Deskhand in images of its own. `deploy/docker/build` builds and tags them; deploy/docker/README.md is the guide.
#
#   binary    one static file, /deskhand, for `COPY --from=deskhand-binary /deskhand /usr/local/bin/` in other images
#   desktop   a whole desktop that runs unprivileged, on a read-only root, without a network
#
# Nothing here needs BuildKit. Both base images are arguments: give digests for builds that can be repeated years later.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
# How many compilers at once; as many as there are processors unless it is given.
ARG CARGO_BUILD_JOBS
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY benches benches
COPY tests/support tests/support
COPY src src
# Panics name the sources, by a path into which cargo puts a hash of the registry's address. Mapped away, so that the binary
# is the same whichever mirror its sources came from. By --config, because RUSTFLAGS would replace what .cargo/config.toml sets
# (static linking), where this adds to it.
RUN set -eu; \
    triple="$(uname -m)-unknown-linux-gnu"; \
    cargo fetch --locked --target "$triple"; \
    flags="'--remap-path-prefix=/build=/deskhand'"; \
    for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do flags="$flags, '--remap-path-prefix=$sources=/registry'"; done; \
    cargo build --release --locked --offline --target "$triple" --bin deskhand --config "target.$triple.rustflags = [$flags]"; \
    install -m 0755 "target/$triple/release/deskhand" /deskhand; \
    sha256sum /deskhand; \
    rm -rf target

FROM scratch AS binary
COPY --from=build /deskhand /deskhand
ENTRYPOINT ["/deskhand"]

FROM ${DEBIAN_IMAGE} AS desktop
# Above the users that Debian (to 60,000) and systemd (to 65,519) hand out, below the first subordinate ones (100,000): nobody's
# on any host.
ARG FIRST_USER=71000
# Desktops on one machine that each want a user of their own.
ARG USERS=256
# `--build-arg CHROMIUM=yes` adds the browser. Its own sandbox needs a user namespace, which Docker's default seccomp profile
# forbids.
ARG CHROMIUM=no
# Any further Debian packages.
ARG PACKAGES=
# Fonts: DejaVu is what xvfb/openbox.xml and the terminal use, FreeFont has the scripts of India and South-East Asia.
# procps is for people who look into a desktop that misbehaves.
RUN set -eu; \
    case "$CHROMIUM" in yes) browser=chromium;; no) browser=;; *) echo "CHROMIUM is yes or no; got $CHROMIUM" >&2; exit 1;; esac; \
    export DEBIAN_FRONTEND=noninteractive; \
    # A list that cannot be fetched is an error: otherwise packages come without their repairs, or are not found.
    apt-get update -qq --error-on=any -o Acquire::Retries=3; \
    apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 \
        xvfb xauth x11-utils openbox xterm s6 procps ca-certificates \
        fonts-dejavu-core fonts-freefont-ttf fonts-noto-cjk fonts-noto-color-emoji \
        libcap2-bin $browser $PACKAGES; \
    # Nothing may give a process more than its user has. Hard links share the mode, so each file is changed once.
    find / -xdev -perm /6000 -exec chmod a-s '{}' +; \
    getcap -r / 2>/dev/null | sed 's/ [^ ]*$//' | while read -r file; do setcap -r "$file"; done; \
    apt-get purge -y -qq libcap2-bin; \
    # What remains of building: lists, logs, caches that name the time.
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/ldconfig/* /var/log/* /var/cache/debconf/*-old; \
    # Users by name, so that programs which ask for theirs (ssh, git, whoami) get an answer whichever of them a desktop has. The
    # password is locked, and there is nothing to log in to.
    number=0; \
    while [ "$number" -lt "$USERS" ]; do \
        id=$((FIRST_USER + number)); name=desktop$number; \
        echo "$name:x:$id:$id::/tmp/home:/bin/bash" >>/etc/passwd; \
        echo "$name:x:$id:" >>/etc/group; \
        number=$((number + 1)); \
    done; \
    # Xvfb writes the keymap that it compiles here, or into /tmp if it cannot: a /tmp that is full must not keep a display down.
    rm -rf /var/lib/xkb; ln -s /tmp/.desktop/xkb /var/lib/xkb; \
    mkdir -p /workspace /run/deskhand
COPY deploy/docker/desktop /usr/lib/deskhand
COPY xvfb/openbox.xml /usr/lib/deskhand/openbox.xml
# As readable as they must be, whatever the umask of whoever checked them out.
RUN chmod -R u=rwX,go=rX /usr/lib/deskhand
COPY --from=binary /deskhand /usr/local/bin/deskhand

# Fixed, so that programs of `docker exec` find the display, and `deskhand connect`, `call` and `health` the server.
ENV HOME=/tmp/home \
    XDG_RUNTIME_DIR=/tmp/.desktop \
    DISPLAY=:99 \
    XAUTHORITY=/tmp/.desktop/xauthority \
    DESKHAND_SOCKET=/tmp/.desktop/deskhand.sock \
    DESKHAND_XVFB=1280x800 \
    LANG=C.UTF-8
USER ${FIRST_USER}:${FIRST_USER}
WORKDIR /workspace
# The display is answered for, not only the process. A probe is a process in the container: not more often than needed.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["deskhand", "health"]
ENTRYPOINT ["/usr/lib/deskhand/start"]
CMD ["/usr/lib/deskhand/terminal"]
