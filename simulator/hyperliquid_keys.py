"""Who signed an action of Hyperliquid: Keccak, EIP-712, and the address of a key.

Source: the page "Signing" of the venue's documentation and what its own SDK signs. An action is
msgpacked in the order of its JSON, its hash is the `connectionId` of a phantom agent, and the
signer's address is recovered from the signature: whoever signs something else is somebody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import coincurve
import msgspec

_RATE = 136
_MASK = (1 << 64) - 1
_SOURCE = "a"
"""The main net."""


def keccak(data: bytes) -> bytes:
    """Keccak-256 as Ethereum has it, which is not the SHA3-256 of hashlib (another padding)."""
    padded = bytearray(data)
    padded.append(0x01)
    padded.extend(b"\0" * (-len(padded) % _RATE))
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            state[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        state = _permuted(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


def _turned(value: int, by: int) -> int:
    return ((value << by) | (value >> (64 - by))) & _MASK if by else value


def _round_constants() -> tuple[int, ...]:
    """The LFSR of FIPS 202, algorithm 5: bit 2^j - 1 of each round's constant."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(constant)
    return tuple(constants)


_ROUNDS = _round_constants()


def _permuted(lanes: list[int]) -> list[int]:
    """Keccak-f[1600]; lane (x, y) is at x + 5y."""
    for constant in _ROUNDS:
        column = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        mixed = [column[(x - 1) % 5] ^ _turned(column[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ mixed[at % 5] for at, lane in enumerate(lanes)]
        x, y, moved = 1, 0, lanes[1]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            at = x + 5 * y
            lanes[at], moved = _turned(moved, (step + 1) * (step + 2) // 2 % 64), lanes[at]
        lanes = [
            lanes[x + 5 * y] ^ (~lanes[(x + 1) % 5 + 5 * y] & _MASK & lanes[(x + 2) % 5 + 5 * y])
            for y in range(5)
            for x in range(5)
        ]
        lanes[0] ^= constant
    return lanes


def _address(public: coincurve.PublicKey) -> str:
    return "0x" + keccak(public.format(compressed=False)[1:])[-20:].hex()


@lru_cache(maxsize=256)
def address_of(private_key: str) -> str:
    """The address of a private key (0x and 64 hex digits); "" for what is no key."""
    try:
        return _address(coincurve.PrivateKey(bytes.fromhex(private_key[2:])).public_key)
    except ValueError:
        return ""


_DOMAIN = keccak(
    keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    + keccak(b"Exchange")
    + keccak(b"1")
    + (1337).to_bytes(32, "big")
    + bytes(32)
)
_AGENT = keccak(b"Agent(string source,bytes32 connectionId)") + keccak(_SOURCE.encode())


def signer_of(
    action: Mapping[str, object],
    nonce: int,
    signature: Mapping[str, object],
    *,
    vault: str = "",
    expires_after: int | None = None,
) -> str:
    """The address that signed an action. Raises ValueError for what is no signature at all."""
    packed = msgspec.msgpack.encode(action) + nonce.to_bytes(8, "big")
    packed += b"\x01" + bytes.fromhex(vault.removeprefix("0x")) if vault else b"\x00"
    if expires_after is not None:
        packed += b"\x00" + expires_after.to_bytes(8, "big")
    digest = keccak(b"\x19\x01" + _DOMAIN + keccak(_AGENT + keccak(packed)))
    r, s = (int(str(signature.get(name)), 16) for name in ("r", "s"))
    v = int(str(signature.get("v"))) - 27
    if v not in (0, 1):
        raise ValueError("signature.v is neither 27 nor 28")
    if not (0 < r < 1 << 256 and 0 < s < 1 << 256):
        raise ValueError("signature.r or signature.s is out of range")
    written = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
    try:
        found = coincurve.PublicKey.from_signature_and_message(written, digest, hasher=None)
    except Exception as error:
        # The library raises the plain type for a point that is not on the curve.
        raise ValueError("the signature cannot be recovered") from error
    return _address(found)
