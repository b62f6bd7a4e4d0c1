"""Every view that moves money demands the second step of whoever opens it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from apps.accounts.second_step_demand import demands
from tests.architecture.source import ROOT

MOVES_MONEY = {
    ("refunds", "give_back"), ("refunds", "order_refund"), ("refunds", "send_again"), ("refunds", "pay_otherwise"),
    ("transfers", "approve"), ("transfers", "paid_back"), ("bank_matching", "carry_out"),
    ("connect_onboarding", "leave"), ("listings", "change"),
}  # fmt: skip
DEMANDED = {
    "resale.change_desk": ("ListingChangeView",),
    "ticketing.refund_desk": ("RefundView", "AgainView", "OtherwiseView"),
    "ticketing.bank_file_desk": ("BankFileView", "BankFileConfirmView"),
    "ticketing.pay_back_desk": ("PayBackView",),
    "ticketing.transfer_desk": ("TransferView",),
    "ticketing.transfer_account_desk": ("AccountCreateView", "AccountEditView"),
    "ticketing.connect_desk": ("BeginView", "LeaveView", "AgainView"),
}


def views_that_move_money(path: Path) -> set[str]:
    views = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ClassDef)]
    return {view.name for view in views if MOVES_MONEY & set(calls_of(view))}


def calls_of(view: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for node in ast.walk(view):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=verb)):
                yield module, verb


def test_every_desk_that_moves_money_demands_the_second_step() -> None:
    desks = [path for pattern in ("*desk*.py", "*admin_views.py") for path in (ROOT / "apps").glob(f"*/{pattern}")]
    found = {(f"{path.parent.name}.{path.stem}", view) for path in desks for view in views_that_move_money(path)}
    listed = {(name, view) for name, views in DEMANDED.items() for view in views}

    assert found - listed == set()
    assert len(found) >= 7, "it must see those that are there"
    for name, views in DEMANDED.items():
        module = import_module(f"apps.{name}")
        assert [view for view in views if not demands(getattr(module, view))] == []
