"""The default seccomp profile of a container engine, made into a filter for one of its programs.

The profile of Podman and CRI-O comes with Debian's package of buildah; those of other runtimes
differ in details. It lists system calls, what becomes of each, and under which conditions.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROFILE = Path("/usr/share/containers/seccomp.json")

ALLOW = 0x7FFF0000
ERRNO = 0x00050000
"""What libseccomp calls SCMP_ACT_ALLOW, and SCMP_ACT_ERRNO with an error's number added."""

OPERATORS = {
    name: number
    for number, name in enumerate(("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"), start=1)
}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

LOAD = """\
import ctypes, os, sys
code = open(sys.argv[1], "rb").read()
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
program = Program(len(code) // 8, code)
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
    sys.exit(f"the filter was refused: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[2], sys.argv[2:])
"""
"""A program that puts the filter of its first argument on itself and becomes the rest."""


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


def rules(profile: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the rules of a profile that hold here, for a program without any capability."""
    here = ARCHITECTURES[platform.machine()]
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if includes.get("caps") or here in excludes.get("arches", ()):
            continue
        if here in includes.get("arches", [here]):
            yield rule


def action_of(rule: Mapping[str, Any]) -> int:
    """Return the action of a rule as libseccomp writes it."""
    if rule["action"] == "SCMP_ACT_ALLOW":
        return ALLOW
    return ERRNO + int(rule.get("errnoRet", errno.EPERM))


def comparisons(rule: Mapping[str, Any]) -> list[_Comparison]:
    """Return the conditions of a rule on the arguments of the call."""
    return [
        _Comparison(
            each["index"],
            OPERATORS[each["op"].removeprefix("SCMP_CMP_")],
            each["value"],
            each["valueTwo"],
        )
        for each in rule["args"] or ()
    ]


def write_filter(path: Path) -> None:
    """Write the filter of the default profile, as the kernel takes it."""
    profile = json.loads(PROFILE.read_text())
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    default = ERRNO + int(profile["defaultErrnoRet"])
    context = ctypes.c_void_p(library.seccomp_init(default))
    for rule in rules(profile):
        action, conditions = action_of(rule), comparisons(rule)
        if action == default:
            continue
        array = (_Comparison * len(conditions))(*conditions)
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            # A call of another architecture, or one that is newer than the library.
            if number < 0:
                continue
            failed = library.seccomp_rule_add_array(
                context, ctypes.c_uint32(action), number, len(conditions), array
            )
            assert failed == 0, f"{name}: {os.strerror(-failed)}"
    with path.open("wb") as stream:
        assert library.seccomp_export_bpf(context, stream.fileno()) == 0
    library.seccomp_release(context)
