"""The plan of one load: what `plan.json` says, checked."""

from __future__ import annotations

import importlib
import importlib.util
import ipaddress
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from drillbook.domain.shape import Shape, steady
from loadtests.clock import SteadyClock
from loadtests.schedule import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadtests.workload import Workload


_HIGHEST_HZ = 5000.0
"""Of each kind of connection: more than one process can send."""


class PlanError(ValueError):
    """The plan cannot be carried out; the text says which key, what it holds and what would be right."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the load goes.

    Attributes:
        scheme: `http` or `https`.
        host: Name or address.
        port: TCP port.
        prefix: Path before every request's own; empty or `/...` without a slash at its end.
        headers: Sent with every request; a `Host` here replaces the one of the URL.
        nameservers: Asked for the host's name, each `address` or `address#port`; the system's resolver when empty.
        ca_file: PEM file of the authorities trusted for https; the system's when None.
        at: Addresses that are taken for the host's without asking anybody; empty for those that its name has.
    """

    scheme: str
    host: str
    port: int
    prefix: str
    headers: Mapping[str, str]
    nameservers: tuple[str, ...]
    ca_file: str | None
    at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metering:
    """The open-loop schedule.

    Attributes:
        shape: Requests per second of both kinds of connection, over time.
        max_in_flight: Beyond so many unanswered requests, those due are recorded as unsent.
        timeout_s: A request's whole time, from sending (name look-up included) to the last byte of the answer.
        pool: Connections kept open for the reused kind.
        share: Which of the shape's requests are this load's own.
        start_s: When the shape begins, in seconds since the epoch; 0 for as soon as the load does.
    """

    shape: Shape
    max_in_flight: int
    timeout_s: float
    pool: int
    share: Share = field(default_factory=Share)
    start_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadingBack:
    """How acknowledged writes are looked up at the end.

    Attributes:
        rate_hz: At most so many keys per second.
        concurrency: At most so many at once.
        deadline_s: Keys not answered for by then are recorded with an error.
        target: Where they are asked for; None for where they were written to.
    """

    rate_hz: float
    concurrency: int
    deadline_s: float
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One load.

    Attributes:
        target: Where to.
        workload: Import path (`package.module:Class` or `file.py:Class`) of the adapter.
        workload_options: What the adapter is given.
        namespace: Prefix of the keys of this load's writes.
        metering: The open-loop schedule.
        reading_back: The end.
        analysts: Number of users who query.
        collectors: Number of users who ingest.
        max_duration_s: The load ends by itself after this.
        start_within_s: The seed has to be acknowledged within this.
        live_window_s: Length of a line of `live.jsonl`.
        output: Folder that it writes to.
        clock: The run's clock.
    """

    target: Target
    workload: str
    workload_options: Mapping[str, Any]
    namespace: str
    metering: Metering
    reading_back: ReadingBack
    analysts: int
    collectors: int
    max_duration_s: float
    start_within_s: float
    live_window_s: float
    output: Path
    clock: SteadyClock

    def adapter(self) -> Workload:
        """The workload, made.

        Raises:
            PlanError: When it cannot be found or does not take its options.
        """
        make = _load(self.workload)
        try:
            return make(self.namespace, self.workload_options)
        except (TypeError, ValueError) as error:
            msg = f"workload_options do not suit {self.workload}: {error}"
            raise PlanError(msg) from error


def read(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        PlanError: When there is none, or it cannot be carried out.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the plan {path} cannot be read: {error.strerror}"
        raise PlanError(msg) from error
    except ValueError as error:
        msg = f"the plan {path} is not JSON: {error}"
        raise PlanError(msg) from error
    return parse(document)


def parse(document: object) -> Plan:
    """A plan from its JSON document.

    Raises:
        PlanError: Naming the first key that is missing, unknown or wrong.
    """
    top = _Keys(document, "")
    metering = _metering(_Keys(top.take("meter"), "meter"))
    target = _target(top)
    back = _Keys(top.take("read_back", {}), "read_back")
    reading_back = ReadingBack(
        rate_hz=back.number("rate_hz", default=400, low=1, high=10_000),
        concurrency=back.whole("concurrency", default=16, low=1),
        deadline_s=back.number("deadline_s", default=60, low=1, high=3600),
        target=_elsewhere(back, target),
    )
    back.done()
    plan = Plan(
        target=target,
        workload=top.text("workload"),
        workload_options=top.mapping("workload_options"),
        namespace=top.text("namespace"),
        metering=metering,
        reading_back=reading_back,
        analysts=top.whole("analysts", default=0, low=0),
        collectors=top.whole("collectors", default=0, low=0),
        max_duration_s=top.number("max_duration_s", default=600, low=0.1, high=86_400 * 7),
        start_within_s=top.number("start_within_s", default=30, low=1, high=600),
        live_window_s=top.number("live_window_s", default=0.25, low=0.05, high=10),
        output=Path(top.text("output")),
        clock=_clock(top),
    )
    top.done()
    return plan


def _metering(meter: _Keys) -> Metering:
    """A steady rate of each kind of connection, or a shape of both together."""
    rate_hz = meter.number("rate_hz", low=0.1, high=_HIGHEST_HZ)
    timeout_s = meter.number("timeout_s", default=5.0, low=0.05, high=60)
    drawn = meter.sequence("shape")
    share = _Keys(meter.take("share", {}), "meter.share")
    try:
        shape = Shape.from_document(drawn) if drawn else steady(2 * rate_hz)
        own = Share(share.whole("worker", default=0, low=0), share.whole("workers", default=1, low=1))
    except ValueError as error:
        msg = f"meter.shape or meter.share cannot be followed: {error}"
        raise PlanError(msg) from error
    share.done()
    if not 0 < shape.highest_hz <= 2 * _HIGHEST_HZ:
        msg = f"meter.shape has to come to a rate of at most {2 * _HIGHEST_HZ:g}, and comes to {shape.highest_hz:g}"
        raise PlanError(msg)
    most = max(64, int(shape.highest_hz / own.workers * timeout_s) + 64)
    metering = Metering(
        shape=shape,
        max_in_flight=meter.whole("max_in_flight", default=most, low=2),
        timeout_s=timeout_s,
        pool=meter.whole("pool", default=10, low=1),
        share=own,
        start_s=meter.number("start_s", default=0, low=0),
    )
    meter.done()
    return metering


def _target(top: _Keys) -> Target:
    scheme, host, port, prefix = _place(top.text("base_url"))
    return Target(
        scheme=scheme,
        host=host,
        port=port,
        prefix=prefix,
        headers=_headers(top),
        nameservers=_nameservers(top),
        ca_file=top.text("ca_file", default="") or None,
    )


def _elsewhere(back: _Keys, target: Target) -> Target | None:
    """Another release has to have what this one took: its address, or the headers that lead to it, are named."""
    text, headers = back.text("base_url", default=""), _headers(back)
    if not text and not headers:
        return None
    scheme, host, port, prefix = _place(text) if text else (target.scheme, target.host, target.port, target.prefix)
    return replace(target, scheme=scheme, host=host, port=port, prefix=prefix, headers=headers)


def _headers(keys: _Keys) -> dict[str, str]:
    return {name: str(value) for name, value in keys.mapping("headers").items()}


def _place(text: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and prefix."""
    url = urlsplit(text)
    try:
        port = url.port
    except ValueError as error:
        msg = f"base_url {text!r} has no valid port: {error}"
        raise PlanError(msg) from error
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment:
        msg = f"base_url has to look like http://host:port/path, and is {text!r}"
        raise PlanError(msg)
    return url.scheme, url.hostname, port or (443 if url.scheme == "https" else 80), url.path.rstrip("/")


def _nameservers(top: _Keys) -> tuple[str, ...]:
    servers = tuple(str(server) for server in top.sequence("nameservers"))
    for server in servers:
        address, mark, port = server.partition("#")
        try:
            ipaddress.ip_address(address)
            int(port if mark else 53)
        except ValueError as error:
            msg = f"nameservers have to be addresses like 10.0.0.53 or 10.0.0.53#5353, and one is {server!r}"
            raise PlanError(msg) from error
    return servers


def _clock(top: _Keys) -> SteadyClock:
    document = top.take("clock", None)
    if document is None:
        return SteadyClock.starting_now()
    keys = _Keys(document, "clock")
    clock = SteadyClock(keys.number("wall_s", low=0), keys.number("monotonic_s", low=0))
    keys.done()
    return clock


def _load(name: str) -> Callable[[str, Mapping[str, Any]], Workload]:
    module_name, _, class_name = name.rpartition(":")
    if not module_name or not class_name:
        msg = f"workload has to look like package.module:Class or file.py:Class, and is {name!r}"
        raise PlanError(msg)
    try:
        if module_name.endswith(".py"):
            spec = importlib.util.spec_from_file_location("drillbook_workload", module_name)
            assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - its name ends in .py
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(module_name)
    except Exception as error:  # a user's module may raise anything while it is imported
        msg = f"workload {name!r} cannot be imported: {type(error).__name__}: {error}"
        raise PlanError(msg) from error
    made = getattr(module, class_name, None)
    if not callable(made):
        msg = f"workload {name!r}: {module_name} has no class {class_name}"
        raise PlanError(msg)
    return cast("Callable[[str, Mapping[str, Any]], Workload]", made)


class _Keys:
    """A JSON object whose keys are taken one by one; what is left at the end was not known."""

    def __init__(self, document: object, where: str) -> None:
        self._where = where
        if not isinstance(document, dict):
            msg = f"{where or 'the plan'} has to be a JSON object, and is {document!r}"
            raise PlanError(msg)
        self._left = dict(cast("dict[str, Any]", document))

    def take(self, key: str, *default: object) -> Any:
        if key not in self._left and not default:
            msg = f"the plan lacks {self._name(key)}"
            raise PlanError(msg)
        return self._left.pop(key, *default)

    def number(self, key: str, *, low: float, high: float = float("inf"), default: float | None = None) -> float:
        value = self.take(key) if default is None else self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            msg = f"{self._name(key)} has to be a number from {low:g} to {high:g}, and is {value!r}"
            raise PlanError(msg)
        return float(value)

    def whole(self, key: str, *, low: int, default: int) -> int:
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            msg = f"{self._name(key)} has to be a whole number of at least {low}, and is {value!r}"
            raise PlanError(msg)
        return value

    def text(self, key: str, *, default: str | None = None) -> str:
        value = self.take(key) if default is None else self.take(key, default)
        if not isinstance(value, str) or (not value and default is None):
            msg = f"{self._name(key)} has to be a text, and is {value!r}"
            raise PlanError(msg)
        return value

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.take(key, {})
        if not isinstance(value, dict):
            msg = f"{self._name(key)} has to be a JSON object, and is {value!r}"
            raise PlanError(msg)
        return cast("dict[str, Any]", value)

    def sequence(self, key: str) -> list[Any]:
        value = self.take(key, [])
        if not isinstance(value, list):
            msg = f"{self._name(key)} has to be a JSON list, and is {value!r}"
            raise PlanError(msg)
        return cast("list[Any]", value)

    def done(self) -> None:
        if self._left:
            names = ", ".join(self._name(key) for key in sorted(self._left))
            msg = f"the plan has keys that nobody knows: {names}"
            raise PlanError(msg)

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key
