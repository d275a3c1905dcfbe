"""A client's half of Ethereum, written from the specifications and sharing nothing with Baton's C
code: Keccak-256, RLP, secp256k1 signatures (SEC 1), transfers of type 0 (EIP-155) and 2 (EIP-1559).
Slow, and for tests with well-known keys only."""

import hashlib
import hmac

# ---- Keccak-256 (FIPS 202's permutation, the padding of Keccak) --------------------------------------

MASK = (1 << 64) - 1


def _round_constants():
    """The LFSR of FIPS 202, section 3.2.5."""
    r, out = 1, []
    for _ in range(24):
        constant = 0
        for j in range(7):
            if r & 1:
                constant |= 1 << ((1 << j) - 1)
            r <<= 1
            if r & 0x100:
                r ^= 0x171
        out.append(constant)
    return out


def _rotations():
    """(x, y) -> how far its lane is rotated: section 3.2.2."""
    at, out = (1, 0), {(0, 0): 0}
    for t in range(24):
        out[at] = (t + 1) * (t + 2) // 2 % 64
        at = (at[1], (2 * at[0] + 3 * at[1]) % 5)
    return out


CONSTANTS = _round_constants()
ROTATIONS = _rotations()


def _rotate(v, n):
    return (v << n | v >> (64 - n)) & MASK if n else v


def _permute(a):
    for constant in CONSTANTS:
        c = [a[x, 0] ^ a[x, 1] ^ a[x, 2] ^ a[x, 3] ^ a[x, 4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        b = {(y, (2 * x + 3 * y) % 5): _rotate(a[x, y] ^ d[x], ROTATIONS[x, y])
             for x in range(5) for y in range(5)}
        a = {(x, y): b[x, y] ^ (~b[(x + 1) % 5, y] & b[(x + 2) % 5, y])
             for x in range(5) for y in range(5)}
        a[0, 0] ^= constant
    return a


def keccak(data):
    rate = 136
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    state = {(x, y): 0 for x in range(5) for y in range(5)}
    for at in range(0, len(padded), rate):
        for i in range(rate // 8):
            lane = int.from_bytes(padded[at + 8 * i:at + 8 * i + 8], "little")
            state[i % 5, i // 5] ^= lane
        state = _permute(state)
    return b"".join(state[i, 0].to_bytes(8, "little") for i in range(4))


# ---- RLP ---------------------------------------------------------------------------------------------

def _length(n, short):
    if n < 56:
        return bytes([short + n])
    size = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([short + 55 + len(size)]) + size


def rlp(item):
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    if isinstance(item, list):
        inside = b"".join(map(rlp, item))
        return _length(len(inside), 0xC0) + inside
    if len(item) == 1 and item[0] < 0x80:
        return bytes(item)
    return _length(len(item), 0x80) + bytes(item)


# ---- secp256k1 -----------------------------------------------------------------------------------------

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _double(p):
    x, y, z = p
    s = 4 * x * y * y % P
    m = 3 * x * x % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * y ** 4) % P, 2 * y * z % P


def _add(p, q):
    """Jacobian + affine, neither infinite nor equal in x: so it is while a multiple of G is built."""
    x, y, z = p
    zz = z * z % P
    h = (q[0] * zz - x) % P
    r = (q[1] * zz * z - y) % P
    hh = h * h % P
    x3 = (r * r - hh * h - 2 * x * hh) % P
    return x3, (r * (x * hh - x3) - y * hh * h) % P, z * h % P


def multiply(k):
    """k G, affine, for 0 < k < N."""
    at = None
    for bit in bin(k)[2:]:
        at = at and _double(at)
        if bit == "1":
            at = _add(at, G) if at else (G[0], G[1], 1)
    inverse = pow(at[2], -1, P)
    return at[0] * inverse ** 2 % P, at[1] * inverse ** 3 % P


def sign(key, digest):
    """(r, s, parity of R), low s. The nonce is a keyed hash of the digest: same input, same bytes."""
    z = int.from_bytes(digest, "big")
    seed = hmac.new(key.to_bytes(32, "big"), digest, hashlib.sha512).digest()
    k = int.from_bytes(seed, "big") % (N - 1) + 1
    x, y = multiply(k)
    r = x % N
    s = pow(k, -1, N) * (z + r * key) % N
    parity = y & 1
    if s > N // 2:
        s, parity = N - s, parity ^ 1
    return r, s, parity


def address(key):
    x, y = multiply(key)
    return keccak(x.to_bytes(32, "big") + y.to_bytes(32, "big"))[12:]


# ---- transactions --------------------------------------------------------------------------------------

GWEI = 10**9


def transfer(key, nonce, to, value, chain, max_fee=20 * GWEI, tip=GWEI, gas=21000, spoil=None):
    """A type-2 transfer: (raw bytes as hex, hash as hex). `spoil` changes (r, s, parity)."""
    body = [chain, nonce, tip, max_fee, gas, to, value, b"", []]
    r, s, parity = sign(key, keccak(b"\x02" + rlp(body)))
    r, s, parity = spoil(r, s, parity) if spoil else (r, s, parity)
    raw = b"\x02" + rlp(body + [parity, r, s])
    return "0x" + raw.hex(), "0x" + keccak(raw).hex()


def legacy_transfer(key, nonce, to, value, chain, gas_price=20 * GWEI):
    """A type-0 transfer with replay protection."""
    body = [nonce, gas_price, 21000, to, value, b""]
    r, s, parity = sign(key, keccak(rlp(body + [chain, 0, 0])))
    raw = rlp(body + [35 + 2 * chain + parity, r, s])
    return "0x" + raw.hex(), "0x" + keccak(raw).hex()
