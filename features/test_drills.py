"""Every scenario below this folder is a drill."""

from __future__ import annotations

from pytest_bdd import scenarios

scenarios(".")
