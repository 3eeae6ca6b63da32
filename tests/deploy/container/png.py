"""Reads PNG pictures with nothing but the standard library: what is checked is the bytes that a controller gets."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 6: 4}  # grey, red-green-blue, with alpha; eight bits each


class Picture:
    """Width, height, and the pixels as one bytes object of `channels` bytes each."""

    def __init__(self, data):
        assert data.startswith(SIGNATURE), f"no PNG signature: {data[:8]!r}"
        compressed = b""
        for kind, body in chunks(data[len(SIGNATURE):]):
            if kind == b"IHDR":
                self.width, self.height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", body)
                assert depth == 8 and colour in CHANNELS and not interlaced, (depth, colour, interlaced)
                self.channels = CHANNELS[colour]
            elif kind == b"IDAT":
                compressed += body
        self.pixels = unfilter(zlib.decompress(compressed), self.width * self.channels, self.channels)
        assert len(self.pixels) == self.width * self.height * self.channels

    def colours(self):
        """How many pixels have each colour."""
        counts = {}
        for at in range(0, len(self.pixels), self.channels):
            colour = self.pixels[at:at + 3]
            counts[colour] = counts.get(colour, 0) + 1
        return counts


def chunks(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert zlib.crc32(kind + body) == checksum, f"checksum of {kind!r}"
        yield kind, body
        at += length + 12
    assert at == len(data) and kind == b"IEND", "the picture is cut off"


def unfilter(data, stride, pixel):
    """Undoes the five filters of the PNG specification, section 9."""
    rows, before = [], bytes(stride)
    for at in range(0, len(data), stride + 1):
        kind, row = data[at], bytearray(data[at + 1:at + 1 + stride])
        if kind == 1:
            for i in range(pixel, stride):
                row[i] = (row[i] + row[i - pixel]) & 255
        elif kind == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, before))
        elif kind == 3:
            for i in range(stride):
                left = row[i - pixel] if i >= pixel else 0
                row[i] = (row[i] + (left + before[i]) // 2) & 255
        elif kind == 4:
            for i in range(stride):
                left, corner = (row[i - pixel], before[i - pixel]) if i >= pixel else (0, 0)
                row[i] = (row[i] + paeth(left, before[i], corner)) & 255
        else:
            assert kind == 0, f"filter {kind}"
        before = bytes(row)
        rows.append(before)
    return b"".join(rows)


def paeth(left, above, corner):
    guess = left + above - corner
    return min((abs(guess - left), 0, left), (abs(guess - above), 1, above), (abs(guess - corner), 2, corner))[2]
