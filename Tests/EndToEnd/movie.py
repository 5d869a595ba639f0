"""Writes QuickTime movies of JPEG pictures, byte by byte, so that tests need no video tools."""

import io
import struct


def jpeg(image, **options):
    """A PIL image as the bytes of a JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95, subsampling=0, **options)
    return stream.getvalue()


def box(name, *parts):
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full(name, *parts):
    return box(name, bytes(4), *parts)


def track(number, kind, scale, durations, sizes, offset, entry, matrix=None, size=(0, 0)):
    """A trak box whose samples lie one after the other from `offset` on."""
    total = sum(durations)
    matrix = matrix or (1, 0, 0, 1)
    turned = [int(value * 65536) for value in matrix]
    layout = struct.pack(">9i", turned[0], turned[1], 0, turned[2], turned[3], 0, 0, 0, 1 << 30)
    head = b"\0\0\0\x07" + struct.pack(">5I", 0, 0, number, 0, total) + bytes(16)
    media = box(b"vmhd", b"\0\0\0\1", bytes(8)) if kind == b"vide" else full(b"smhd", bytes(4))
    places = [offset + sum(sizes[:index]) for index in range(len(sizes))]
    table = box(
        b"stbl", full(b"stsd", struct.pack(">I", 1), entry),
        full(b"stts", struct.pack(">I", len(durations)), *(struct.pack(">2I", 1, d) for d in durations)),
        full(b"stsc", struct.pack(">4I", 1, 1, 1, 1)),
        full(b"stsz", struct.pack(">2I", 0, len(sizes)), *(struct.pack(">I", s) for s in sizes)),
        full(b"stco", struct.pack(">I", len(places)), *(struct.pack(">I", p) for p in places)))
    reference = box(b"dinf", full(b"dref", struct.pack(">I", 1), box(b"url ", b"\0\0\0\1")))
    return box(
        b"trak", box(b"tkhd", head + layout + struct.pack(">2I", *(side << 16 for side in size))),
        box(b"mdia", full(b"mdhd", struct.pack(">4I", 0, 0, scale, total), bytes(4)),
            full(b"hdlr", b"mhlr", kind, bytes(13)), box(b"minf", media, reference, table)))


def write(path, pictures, durations, size, scale=1000, matrix=None, aspect=None, sound=None):
    """Writes JPEG pictures and how long each is shown, in units of 1/scale s; `matrix` is (a, b, c,
    d) of x' = a x + c y, y' = b x + d y; `aspect` the width and height of a pixel; `sound` a list of
    MP3 frames of 1152 samples at 44.1 kHz."""
    entry = box(
        b"jpeg", bytes(6), b"\0\1", bytes(16), struct.pack(">2H", *size),
        struct.pack(">2I", 72 << 16, 72 << 16), bytes(4), b"\0\1", bytes(32), b"\0\x18\xff\xff",
        box(b"pasp", struct.pack(">2I", *aspect)) if aspect else b"")
    heard = sound or []
    entry_of_sound = box(
        b".mp3", bytes(6), b"\0\1", bytes(8), struct.pack(">4H", 2, 16, 0, 0),
        struct.pack(">I", 44100 << 16))
    sizes, sound_sizes = [len(p) for p in pictures], [len(p) for p in heard]

    def index(offset):
        tracks = [track(1, b"vide", scale, durations, sizes, offset, entry, matrix, size)]
        if heard:
            tracks.append(track(2, b"soun", 44100, [1152] * len(heard), sound_sizes,
                                offset + sum(sizes), entry_of_sound))
        total = struct.pack(">4I", 0, 0, scale, sum(durations)) + struct.pack(">IH", 1 << 16, 256)
        unit = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
        return box(b"moov", full(b"mvhd", total, bytes(10), unit, bytes(24), struct.pack(">I", 3)), *tracks)

    kind = box(b"ftyp", b"qt  ", bytes(4), b"qt  ")
    start = len(kind) + len(index(0)) + 8
    path.write_bytes(kind + index(start) + box(b"mdat", *pictures, *heard))


def silence(count):
    """MP3 frames, mono, 128 kbit/s: nothing is heard."""
    return [b"\xff\xfb\x90\xc4" + bytes(413)] * count


def boxes(data, *names):
    """The contents of every box reached by these names, one inside the other."""
    found, offset = [], 0
    while offset + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[offset:offset + 8])
        start = 8
        if size == 1:
            size, start = struct.unpack(">Q", data[offset + 8:offset + 16])[0], 16
        if size < 8:
            break
        if name == names[0]:
            inner = data[offset + start:offset + size]
            found += [inner] if len(names) == 1 else boxes(inner, *names[1:])
        offset += size
    return found


def timing(path):
    """Of each track: what it is, its length in seconds, and how long each sample is shown."""
    tracks = []
    for trak in boxes(path.read_bytes(), b"moov", b"trak"):
        kind = boxes(trak, b"mdia", b"hdlr")[0][8:12].decode()
        header = boxes(trak, b"mdia", b"mdhd")[0]
        scale, length = struct.unpack(">2I", header[12:20]) if header[0] == 0 else \
            struct.unpack(">IQ", header[20:32])
        times = boxes(trak, b"mdia", b"minf", b"stbl", b"stts")[0]
        shown = []
        for number in range(struct.unpack(">I", times[4:8])[0]):
            count, each = struct.unpack(">2I", times[8 + 8 * number:16 + 8 * number])
            shown += [each / scale] * count
        tracks.append((kind, length / scale, shown))
    return tracks
