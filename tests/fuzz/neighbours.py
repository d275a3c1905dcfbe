"""Inputs next to a good one: each part of it missing, twice, empty, too long, of another kind, with
the lengths around it put right again. So a decoder's second check is reached although its first one
demands a whole that fits. What of them reaches new places is kept by `tests/fuzz/run --grow`."""

import json

RLP = {"rlp": 0, "tx": 1, "body": 0, "system": 0, "batch": 1}  # bytes before the list, at most
PROTOBUF = {"message", "journal", "block", "certificate"}
JSON = {"genesis": 0, "keystore": 0, "jsonrpc": 0, "l1": 1}  # bytes before the text
LINES = {"config": 0, "http": 2}  # bytes before the text
MOST_FLIPS = {"channel": 120, "genesis": 30, "keystore": 30, "jsonrpc": 30, "l1": 30}  # parts say more there
MOST_FLIPS_OTHERS = 2500


def near(target, seed):
    """The neighbours of one input, as a set of bytes."""
    most = MOST_FLIPS.get(target, MOST_FLIPS_OTHERS)
    out = set(cuts(seed, most)) | set(flips(seed, most))
    if target in RLP:
        for skip in range(RLP[target] + 1):
            out |= {seed[:skip] + one for one in rlp_near(seed[skip:])}
    if target == "batch":
        out |= set(lists_near(seed))
    if target in PROTOBUF:
        out |= set(protobuf_near(seed))
    if target in JSON:
        out |= {seed[:JSON[target]] + one for one in json_near(seed[JSON[target]:])}
    if target in LINES:
        out |= set(line_near(seed, LINES[target]))
    return out


def cuts(seed, most):
    yield from (seed[:n] for n in range(min(len(seed), most)))
    yield seed + b"\0"


def flips(seed, most):
    for i in range(min(len(seed), most)):
        for v in {seed[i] ^ 1, seed[i] ^ 0x80, (seed[i] + 1) & 255, 0, 0x7f, 0xff}:
            yield seed[:i] + bytes([v]) + seed[i + 1:]


# ---- RLP ------------------------------------------------------------------------------------------

def rlp_prefix(n, short):
    if n <= 55:
        return bytes([short + n])
    length = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([short + 55 + len(length)]) + length


def rlp_write(item):
    if isinstance(item, Raw):
        return item.bytes
    if isinstance(item, list):
        inside = b"".join(map(rlp_write, item))
        return rlp_prefix(len(inside), 0xc0) + inside
    return item if len(item) == 1 and item[0] < 0x80 else rlp_prefix(len(item), 0x80) + item


class Raw:
    """Bytes that are no RLP."""

    def __init__(self, b):
        self.bytes = b


def rlp_read(b):
    """(item, rest); raises where it is none."""
    first = b[0]
    if first < 0x80:
        return b[:1], b[1:]
    short = 0x80 if first < 0xc0 else 0xc0
    n, head = first - short, 1
    if n > 55:
        head = 1 + n - 55
        n = int.from_bytes(b[1:head], "big")
    inside, rest = b[head:head + n], b[head + n:]
    if len(inside) < n:
        raise ValueError
    if short == 0x80:
        return inside, rest
    items = []
    while inside:
        item, inside = rlp_read(inside)
        items.append(item)
    return items, rest


ODD = [b"", [], b"\1", b"\2", b"\x7f", b"\x80", b"\xff", b"\1" * 8, b"\1" * 9, b"\1" * 20, b"\1" * 21,
       b"\xff" * 32, b"\1" * 33, b"\1" * 65, [b"\1"], [[]], [b"\1" * 20, []], [b"\1" * 20, [b"\1" * 32]],
       Raw(b"\0"), Raw(b"\x81\1"), Raw(b"\xb8\1\1"), Raw(b"\xb9\0\1\1"), Raw(b"\xc1"), Raw(b"\xbf" + b"\xff" * 8),
       Raw(b"\xf8\1\1"), Raw(b"\x82\0\1")]


def rlp_trees(item):
    """The tree with one place changed, for every place and change."""
    yield from ODD
    if isinstance(item, list):
        for i, part in enumerate(item):
            yield item[:i] + item[i + 1:]
            yield item[:i] + [part, part] + item[i + 1:]
            yield item[:i] + [b"", part] + item[i + 1:]
            yield item[:i]
            for changed in rlp_trees(part):
                yield item[:i] + [changed] + item[i + 1:]
        yield item + [b""]
        yield item + [[]]
    elif len(item) > 1:
        yield item[:-1]
        yield item + b"\1"
        for skip in (0, 1):  # a string may hold a list, behind the byte of a type
            for one in rlp_near(item[skip:]) if len(item) > 40 else ():
                yield item[:skip] + one


def rlp_near(seed):
    try:
        item, rest = rlp_read(seed)
    except (ValueError, IndexError):
        return set()
    return {rlp_write(t) + rest for t in rlp_trees(item)}


def lists_near(seed):
    """Of lists that stand in the middle of something else, and that nothing else gives the size of."""
    for i in range(1, len(seed)):
        try:
            item, rest = rlp_read(seed[i:])
        except (ValueError, IndexError):
            continue
        if isinstance(item, list) and len(item) > 3:
            yield from (seed[:i] + rlp_write(t) + rest for t in rlp_trees(item))


# ---- protobuf -------------------------------------------------------------------------------------

def varint(v):
    out = b""
    while v > 0x7f:
        out += bytes([v & 0x7f | 0x80])
        v >>= 7
    return out + bytes([v])


def take_varint(b, at):
    v = shift = 0
    while True:
        v |= (b[at] & 0x7f) << shift
        shift += 7
        at += 1
        if b[at - 1] < 0x80:
            return v, at


def fields(b):
    """[(tag, value)] with a number or bytes; raises where it is no message."""
    out, at = [], 0
    while at < len(b):
        tag, at = take_varint(b, at)
        if tag & 7 == 0:
            value, at = take_varint(b, at)
        elif tag & 7 == 2:
            n, at = take_varint(b, at)
            value, at = b[at:at + n], at + n
        elif tag & 7 == 1:
            value, at = b[at:at + 8], at + 8
        elif tag & 7 == 5:
            value, at = b[at:at + 4], at + 4
        else:
            raise ValueError
        if at > len(b) or tag >> 3 == 0:
            raise ValueError
        out.append((tag, value))
    return out


def put_fields(f):
    out = b""
    for tag, v in f:
        out += varint(tag)
        out += varint(v) if tag & 7 == 0 else varint(len(v)) + v if tag & 7 == 2 else v
    return out


def protobuf_near(b, depth=4):
    try:
        f = fields(b)
    except (ValueError, IndexError):
        return
    for i, (tag, v) in enumerate(f):
        values = []
        if tag & 7 == 0:
            values = [v + 1, v ^ 1, 4, 5, 31, 32, 33, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 63]
        elif tag & 7 == 2:
            values = [b"", v[:-1], v + b"\0", v + v, b"\1" * 32, b"\1" * 31, b"\1" * 65]
            values += protobuf_near(v, depth - 1) if depth else []
        yield put_fields(f[:i] + f[i + 1:])
        yield put_fields(f[:i] + [f[i]] + f[i:])
        yield put_fields(f[i:] + f[:i])
        for value in values:
            yield put_fields(f[:i] + [(tag, value)] + f[i + 1:])


# ---- text -----------------------------------------------------------------------------------------

VALUES = [None, True, False, 0, 1, -1, 2 ** 31, 2 ** 32, 2 ** 63, 2 ** 64, 1.5, "", "x", "0", "0x", "0x0", "0x00", "0x01",
          "0xg", "\u00e9", "\0", "x" * 70, "x" * 300, "0x" + "1" * 40, "0x" + "1" * 64, "0x" + "f" * 16, "0x" + "f" * 17,
          "1" * 40, "1" * 64, "latest", "safe", [], {}, [[]], [1], {"a": 1}]


def json_trees(o):
    yield from VALUES
    if isinstance(o, dict):
        for k, v in o.items():
            rest = {a: b for a, b in o.items() if a != k}
            yield rest
            yield {**rest, k + "x": v}
            yield {**o, k[:2] + k[2:].upper(): v}
            for changed in json_trees(v):
                yield {**o, k: changed}
        yield {**o, "other": 1}
    elif isinstance(o, list):
        for i, v in enumerate(o):
            yield o[:i] + o[i + 1:]
            yield o[:i] + [v, v] + o[i + 1:]
            for changed in json_trees(v):
                yield o[:i] + [changed] + o[i + 1:]
        yield o + [None]
        yield o * 33


def json_near(seed):
    try:
        o = json.loads(seed)
    except ValueError:
        return
    for t in json_trees(o):
        text = json.dumps(t).encode()
        yield text
        yield text + b"\n"


def line_near(seed, skip):
    lines = seed[skip:].split(b"\n")
    for i, line in enumerate(lines):
        head, _, value = line.partition(b":")
        for other in [[], [line, line], [head], [head + b":"], [head + b": " + b"x" * 600], [head + b": " + b"x" * 3000], [head + b"x:" + value],
                      [head + b": '" + value.strip() + b"'"], [b"x" * 400 + b": 1"], [value.strip()]]:
            yield seed[:skip] + b"\n".join(lines[:i] + other + lines[i + 1:])
