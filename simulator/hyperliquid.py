"""Hyperliquid over REST: two paths, everything else in the body, and who signed what.

POST /info answers anybody about any address; POST /exchange does what an API wallet or the
account itself has signed. Refusals are HTTP 200 and words. Left to others: questions
(`hyperliquid_info.py`), actions (`hyperliquid_actions.py`), addresses (`hyperliquid_accounts.py`),
signatures (`hyperliquid_keys.py`), limits (`hyperliquid_quotas.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import msgspec

from simulator.hyperliquid_accounts import Addresses
from simulator.hyperliquid_actions import Actions
from simulator.hyperliquid_children import Children
from simulator.hyperliquid_info import Info
from simulator.hyperliquid_keys import signer_of
from simulator.hyperliquid_quotas import HyperliquidQuotas, too_many
from simulator.hyperliquid_rows import Assets
from simulator.hyperliquid_words import Refusal, err, unreadable
from simulator.instruments import Exchange
from simulator.market import Market
from simulator.state import Account
from simulator.wire import Call, Handler, HttpRequest, Params, Reply, Route, encode, ms

WORDS_OF_ACTIONS = {
    "order": "order.create",
    "cancel": "order.cancel",
    "cancelByCloid": "order.cancel",
    "modify": "order.amend",
    "batchModify": "order.amend",
    "updateLeverage": "leverage",
    "updateIsolatedMargin": "margin",
    "scheduleCancel": "order.cancel_all",
}
NONCES_KEPT = 100
OLDEST_NONCE = timedelta(days=2)
NEWEST_NONCE = timedelta(days=1)


class Hyperliquid:
    """Answers decoded calls from the market."""

    exchange = Exchange.HYPERLIQUID
    hosts = ("api.hyperliquid.xyz",)

    def __init__(self, market: Market) -> None:
        self._market = market
        self.quotas = HyperliquidQuotas()
        self.addresses = Addresses(market)
        self.assets = Assets(market)
        self.children = Children(market)
        self._actions = Actions(market, self.assets, self.children)
        self._nonces: dict[str, set[int]] = {}
        info = Info(market, self.assets, self.addresses, self.children).routes()
        self._routes = {f"/info#{kind}": route for kind, route in info.items()}
        for kind in self._actions.of:
            word = WORDS_OF_ACTIONS.get(kind, "other")
            self._routes[f"/exchange#{kind}"] = Route(word, self._act)
        self._routes = {
            path: replace(route, handler=self._answering(route.handler))
            for path, route in self._routes.items()
        }

    def path_of(self, path: str, body: bytes) -> str:
        """A request's path with what its body asks for: "/info#clearinghouseState"."""
        try:
            members = msgspec.json.decode(body, type=dict[str, object])
        except msgspec.MsgspecError:
            return path
        action = members.get("action")
        kind = action.get("type") if isinstance(action, dict) else members.get("type")
        return f"{path}#{kind}"

    def route(self, method: str, path: str) -> Route | None:
        if method != "POST" or path.partition("#")[0] not in ("/info", "/exchange"):
            return None
        unknown = Route("unknown", lambda _: unreadable(), signed=False)
        return self._routes.get(path, unknown)

    def params(self, request: HttpRequest) -> Params:
        """Members as text, objects and lists as JSON. ValueError for what is no object."""
        try:
            members = msgspec.json.decode(request.body, type=dict[str, object])
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error
        return {
            name: value if isinstance(value, str) else encode(value).decode()
            for name, value in members.items()
            if value is not None
        }

    def authenticate(self, request: HttpRequest, params: Params, at: datetime) -> Account | Reply:
        """Whose account a request is about: the one it names, or the one that signed."""
        if request.path.startswith("/info"):
            user = params.get("user", "")
            if not _is_address(user):
                return unreadable()
            return self.addresses.read(user)
        try:
            return self._signed(request, at)
        except (KeyError, TypeError, ValueError) as error:
            return err(str(error)) if isinstance(error, Refusal) else unreadable()

    def _signed(self, request: HttpRequest, at: datetime) -> Account:
        members = msgspec.json.decode(request.body, type=dict[str, object])
        action, signature, nonce = members["action"], members["signature"], members["nonce"]
        vault, expires = str(members.get("vaultAddress") or ""), members.get("expiresAfter")
        if not (isinstance(action, dict) and isinstance(signature, dict)):
            raise ValueError("action or signature")
        if isinstance(nonce, bool) or not isinstance(nonce, int):
            raise ValueError("nonce")
        address = signer_of(
            action,
            nonce,
            signature,
            vault=vault,
            expires_after=expires if isinstance(expires, int) else None,
        )
        signer = self.addresses.signer(address)
        if signer is None:
            raise Refusal(f"User or API Wallet {address} does not exist.")
        self._spend(address, nonce, at)
        if isinstance(expires, int) and ms(at) > expires:
            raise Refusal("Action already expired")
        if not vault:
            return signer
        named = self.addresses.acts_for(signer, f"0x{vault.removeprefix('0x')}")
        if named is None:
            raise Refusal(f"Vault not registered: 0x{vault.removeprefix('0x')}")
        return named

    def _spend(self, address: str, nonce: int, at: datetime) -> None:
        """The highest hundred of a signer are kept: a new one is none of them, and no smaller."""
        kept = self._nonces.setdefault(address, set())
        early, late = at - OLDEST_NONCE, at + NEWEST_NONCE
        if nonce <= ms(early):
            raise Refusal(f"Invalid nonce: nonce too low {nonce} < {ms(early)}")
        if nonce >= ms(late):
            raise Refusal(f"Invalid nonce: nonce too high {nonce} > {ms(late)}")
        if nonce in kept or (len(kept) >= NONCES_KEPT and nonce < min(kept)):
            raise Refusal(f"Invalid nonce: duplicate nonce {nonce}")
        kept.add(nonce)
        if len(kept) > NONCES_KEPT:
            kept.remove(min(kept))

    def _act(self, call: Call) -> Reply:
        action = msgspec.json.decode(call.params["action"], type=dict[str, object])
        return self._actions.act(call, action)

    def _answering(self, handler: Handler) -> Handler:
        """A handler whose refusals are replies."""

        def answer(call: Call) -> Reply:
            self.pass_time(call.at)
            try:
                reply = handler(call)
            except Refusal as refusal:
                return err(str(refusal))
            self.quotas.charge_rows(call, reply)
            return reply

        return answer

    def pass_time(self, at: datetime) -> None:
        """Let come what was scheduled."""
        self._actions.pass_time(at)

    def error(self, code: str, message: str) -> Reply:  # noqa: ARG002  # here words are the codes
        return err(message)

    def too_many(self) -> Reply:
        return too_many()

    def banned(self, until: datetime, status: int) -> Reply:  # noqa: ARG002  # it does not tell
        return Reply(cast(dict[str, object], None), status=403 if status == 403 else 429)

    def malformed(self, message: str) -> Reply:  # noqa: ARG002  # one sentence for all
        return unreadable()


def _is_address(written: str) -> bool:
    try:
        return written.startswith("0x") and len(bytes.fromhex(written[2:])) == 20
    except ValueError:
        return False
