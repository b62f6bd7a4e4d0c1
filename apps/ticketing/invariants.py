"""What must be true at every moment, one query each (reference: the promises of docs/purchase.md).

Run by `manage.py check_invariants`, by cron every five minutes, and by the tests after every journey and race. A row
that comes back is a violation; the query names the promise it breaks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count

from apps.ticketing.extensions import allotments
from apps.ticketing.models import OrderLine, Quota


@dataclass(frozen=True)
class Violation:
    """One broken promise: which, and the rows that break it (primary keys and figures)."""

    promise: str
    rows: tuple[tuple, ...]

    def __str__(self) -> str:
        return f"{self.promise}: {list(self.rows[:5])}"


# Fulfilments that draw on no quota are the ones whose lines carry a subject; sold, they hold a place like any other.
PROMISES: dict[str, str] = {
    "a quota never holds more than its size": (
        "SELECT id, size, taken, set_aside FROM ticketing_quota WHERE taken + set_aside > size OR taken < 0"
    ),
    "a quota's counter equals a recount of held lines": """
        SELECT q.id, q.taken, counted.n FROM ticketing_quota q CROSS JOIN LATERAL (
            SELECT coalesce((SELECT count(*) FROM ticketing_orderline l
                    JOIN ticketing_tickettype_quotas tq ON tq.tickettype_id = l.ticket_type_id
                    WHERE tq.quota_id = q.id AND l.is_held AND l.subject = ''), 0)
                + coalesce((SELECT sum(c.quantity) FROM ticketing_linechoice c
                    JOIN ticketing_orderline l ON l.id = c.line_id
                    JOIN ticketing_choice_quotas cq ON cq.choice_id = c.choice_id
                    JOIN ticketing_order o ON o.id = l.order_id
                    WHERE cq.quota_id = q.id AND l.is_held
                        AND (l.subject = '' OR l.fulfilment = 'change' AND o.paid_at IS NULL)), 0)
                - coalesce((SELECT sum(least(covered.value::int, (SELECT coalesce(sum(c.quantity), 0)
                        FROM ticketing_linechoice c JOIN ticketing_choice_quotas cq ON cq.choice_id = c.choice_id
                        WHERE c.line_id = l.id AND cq.quota_id = q.id)))
                    FROM ticketing_choicechange cc
                    JOIN ticketing_orderline l ON l.id = cc.line_id
                    JOIN ticketing_order o ON o.id = l.order_id
                    CROSS JOIN LATERAL jsonb_each_text(cc.covered) covered
                    WHERE covered.key::bigint = q.id AND l.is_held AND o.paid_at IS NULL), 0) AS n
        ) AS counted WHERE q.taken <> counted.n""",
    "only offered, reserved and paid orders hold places": """
        SELECT l.id, o.state FROM ticketing_orderline l JOIN ticketing_order o ON o.id = l.order_id
        WHERE l.is_held AND o.state NOT IN ('offered', 'reserved', 'paid')""",
    "a reserved order holds every line it wants": """
        SELECT o.id FROM ticketing_order o JOIN ticketing_orderline l ON l.order_id = o.id
        WHERE o.state = 'reserved' AND l.is_wanted AND NOT l.is_held""",
    "no hold outlives its time by ten seconds, unless money may be on its way": """
        SELECT o.id, o.reserved_until FROM ticketing_order o
        WHERE o.state IN ('offered', 'reserved') AND o.reserved_until < foyer_now() - interval '10 s'
        AND NOT EXISTS (SELECT 1 FROM ticketing_salechange c WHERE c.event_id = o.event_id
            AND coalesce(c.until, c.opens_at, 'infinity') > foyer_now() - interval '10 s'
            AND c.kind IN ('paused', 'moved'))
        AND NOT EXISTS (SELECT 1 FROM ticketing_payment p WHERE p.order_id = o.id
            AND p.state IN ('started', 'action_needed', 'processing', 'unknown'))""",
    "no order is decided while its sale stands still": """
        SELECT o.id, o.decided_at, c.number FROM ticketing_order o JOIN ticketing_salechange c
            ON c.event_id = o.event_id AND c.kind IN ('paused', 'moved')
        WHERE o.decided_at >= c.at AND o.decided_at < coalesce(c.until, c.opens_at, 'infinity')""",
    "nobody stands in line for a sale that ended": """
        SELECT o.id, o.state, c.number FROM ticketing_order o JOIN ticketing_salechange c
            ON c.event_id = o.event_id AND c.kind = 'ended' AND c.until IS NULL
        WHERE o.state IN ('queued', 'waiting') AND c.at < foyer_now() - interval '60 s'
            AND o.queued_at < foyer_now() - interval '60 s'""",
    "a line's price is its list price plus its adjustments": """
        SELECT l.id, l.list_minor, l.price_minor FROM ticketing_orderline l
        WHERE l.is_held AND l.price_minor <> l.list_minor + coalesce(
            (SELECT sum(a.amount_minor) FROM ticketing_adjustment a WHERE a.line_id = l.id), 0)""",
    "a held order's total is the sum of its held lines": """
        SELECT o.id, o.total_minor FROM ticketing_order o WHERE o.state IN ('offered', 'reserved')
        AND o.total_minor <> (SELECT coalesce(sum(l.price_minor), 0) FROM ticketing_orderline l
            WHERE l.order_id = o.id AND l.is_held)""",
    "a paid order was paid in full, and money kept is money for live lines": """
        SELECT o.id, captured.n, refunded.n, lost.n, live.n FROM ticketing_order o
        CROSS JOIN LATERAL (SELECT coalesce(sum(p.amount_minor), 0) AS n FROM ticketing_payment p
            WHERE p.order_id = o.id AND p.state = 'captured') AS captured
        CROSS JOIN LATERAL (SELECT coalesce(sum(r.amount_minor - r.covered_minor), 0) AS n FROM ticketing_refund r
            JOIN ticketing_payment p ON p.id = r.payment_id WHERE p.order_id = o.id AND NOT EXISTS (
                SELECT 1 FROM ticketing_refund retry WHERE retry.retry_of_id = r.id)) AS refunded
        CROSS JOIN LATERAL (SELECT coalesce(sum(d.amount_minor), 0) AS n FROM ticketing_dispute d
            JOIN ticketing_payment p ON p.id = d.payment_id WHERE p.order_id = o.id AND d.state = 'lost') AS lost
        CROSS JOIN LATERAL (SELECT coalesce(sum(l.price_minor - l.given_back_minor), 0) AS n FROM ticketing_orderline l
            WHERE l.order_id = o.id AND l.is_held AND o.state = 'paid') AS live
        CROSS JOIN LATERAL (SELECT coalesce(-sum(e.amount_minor), 0) AS n FROM ticketing_entry e
            JOIN ticketing_posting g ON g.id = e.posting_id WHERE g.order_id = o.id AND (e.account IN ('fee', 'loss')
                OR (e.account = 'seller_share' AND e.detail = replace(g.fact, 'resold:', 'seller:')))) AS fees
        WHERE captured.n - refunded.n - lost.n <> live.n + fees.n""",
    "refunds never exceed what was captured": """
        SELECT p.id FROM ticketing_payment p JOIN ticketing_refund r ON r.payment_id = p.id
        WHERE NOT EXISTS (SELECT 1 FROM ticketing_refund retry WHERE retry.retry_of_id = r.id) GROUP BY p.id
        HAVING sum(r.amount_minor) > max(p.amount_minor) FILTER (WHERE p.state = 'captured')
            OR bool_or(p.state <> 'captured')""",
    "what is given back of a ticket is what its partial refunds say": """
        SELECT l.id, l.given_back_minor FROM ticketing_orderline l WHERE l.given_back_minor <> coalesce((
            SELECT sum(r.amount_minor) FROM ticketing_refund r JOIN ticketing_refund_lines rl ON rl.refund_id = r.id
            WHERE rl.orderline_id = l.id AND r.is_partial AND r.reason <> 'price_lowered'
                AND r.retry_of_id IS NULL), 0)""",
    "the books owe buyers and sellers what their refunds have not brought yet": """
        SELECT o.id, owed.n, open.n FROM ticketing_order o
        CROSS JOIN LATERAL (SELECT coalesce(-sum(e.amount_minor), 0) AS n FROM ticketing_entry e
            JOIN ticketing_posting g ON g.id = e.posting_id
            WHERE g.order_id = o.id AND e.account IN ('buyer_refundable', 'seller_payable')) AS owed
        CROSS JOIN LATERAL (SELECT coalesce(sum(r.amount_minor - r.covered_minor), 0) AS n FROM ticketing_refund r
            JOIN ticketing_payment p ON p.id = r.payment_id
            WHERE p.order_id = o.id AND r.state <> 'done' AND r.paid_otherwise_at IS NULL
                AND NOT EXISTS (SELECT 1 FROM ticketing_refund retry WHERE retry.retry_of_id = r.id)) AS open
        WHERE owed.n <> open.n""",
    "a change of choices is made exactly when it is paid, and a ticket waits for one at a time": """
        SELECT c.id, o.state FROM ticketing_choicechange c JOIN ticketing_orderline l ON l.id = c.line_id
        JOIN ticketing_order o ON o.id = l.order_id
        WHERE c.gift_id IS NULL AND (c.made_at IS NULL) <> (o.paid_at IS NULL)
            OR o.state = 'reserved' AND EXISTS (SELECT 1 FROM ticketing_choicechange other
                JOIN ticketing_orderline ol ON ol.id = other.line_id JOIN ticketing_order oo ON oo.id = ol.order_id
                WHERE other.of_line_id = c.of_line_id AND other.id <> c.id AND oo.state = 'reserved')""",
    "what a recipient paid more is kept for the gift it was paid for, once, and else goes back": """
        SELECT c.id, o.state, g.state FROM ticketing_choicechange c JOIN ticketing_orderline l ON l.id = c.line_id
        JOIN ticketing_order o ON o.id = l.order_id JOIN ticketing_gift g ON g.id = c.gift_id
        LEFT JOIN ticketing_ticket t ON t.id = g.ticket_id
        WHERE t.line_id <> c.of_line_id
            OR c.made_at IS NOT NULL AND (o.paid_at IS NULL OR g.state <> 'accepted' OR EXISTS (
                SELECT 1 FROM ticketing_choicechange other
                WHERE other.gift_id = c.gift_id AND other.id <> c.id AND other.made_at IS NOT NULL))
            OR o.state = 'paid' AND NOT EXISTS (SELECT 1 FROM ticketing_dispute d
                JOIN ticketing_payment p ON p.id = d.payment_id WHERE p.order_id = o.id
                    AND (d.closed_at IS NULL OR d.closed_at > foyer_now() - interval '10 min')) AND (
                c.made_at IS NULL AND coalesce(c.undone_at, o.paid_at) < foyer_now() - interval '10 min'
                OR c.made_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ticketing_orderline base
                    WHERE base.id = c.of_line_id AND base.is_held))""",
    "every posting sums to zero in each currency": (
        "SELECT posting_id, currency, sum(amount_minor) FROM ticketing_entry GROUP BY 1, 2"
        " HAVING sum(amount_minor) <> 0"
    ),
    "whoever gave a ticket away has no good code of it": """
        SELECT g.id, t.state FROM ticketing_gift g JOIN ticketing_ticket t ON t.id = g.ticket_id
        WHERE g.state = 'accepted' AND t.state <> 'superseded'""",
    "an open dispute keeps the tickets that its payment was for from being used": """
        SELECT d.id, t.id, t.state FROM ticketing_dispute d JOIN ticketing_payment p ON p.id = d.payment_id
        JOIN ticketing_orderline l ON l.order_id = p.order_id
        LEFT JOIN ticketing_choicechange c ON c.line_id = l.id AND l.is_held
            AND c.made_at IS NOT NULL AND c.undone_at IS NULL
        JOIN ticketing_ticket t ON t.line_id IN (l.id, c.of_line_id)
        WHERE d.state = 'opened' AND p.reason = '' AND t.state IN ('valid', 'held', 'used')""",
    "what is disputed in the books is what open disputes are about": """
        SELECT g.order_id, sum(e.amount_minor) FROM ticketing_entry e JOIN ticketing_posting g ON g.id = e.posting_id
        WHERE e.account = 'dispute' GROUP BY 1 HAVING sum(e.amount_minor) <> coalesce((
            SELECT sum(d.amount_minor) FROM ticketing_dispute d JOIN ticketing_payment p ON p.id = d.payment_id
            WHERE p.order_id = g.order_id AND d.state = 'opened'), 0)""",
    "every captured payment is in the books once": """
        SELECT p.id FROM ticketing_payment p WHERE p.state = 'captured' AND 1 <> (
            SELECT count(*) FROM ticketing_posting g WHERE g.fact = 'captured:' || p.public_id::text)""",
    "a paid line has exactly one live ticket, an unpaid one has none": """
        SELECT l.id, o.state, count(t.id) FROM ticketing_orderline l JOIN ticketing_order o ON o.id = l.order_id
        LEFT JOIN ticketing_ticket t ON t.line_id = l.id AND t.state NOT IN ('superseded', 'revoked')
        WHERE l.fulfilment = 'issue' GROUP BY l.id, o.state
        HAVING count(t.id) <> (l.is_held AND o.state = 'paid')::int""",
    "a reminder that was sent keeps no address": (
        "SELECT id FROM ticketing_reminder WHERE sent_at IS NOT NULL AND email <> ''"
    ),
    "nobody holds more of a type than one person may": """
        SELECT coalesce(nullif(l.owner_key, ''), o.buyer_key), l.ticket_type_id, count(*), t.max_per_person
        FROM ticketing_orderline l
        JOIN ticketing_order o ON o.id = l.order_id JOIN ticketing_tickettype t ON t.id = l.ticket_type_id
        WHERE l.is_held AND t.max_per_person IS NOT NULL AND o.buyer_key <> '' AND l.owner_key <> 'erased'
        GROUP BY 1, 2, t.max_per_person HAVING count(*) > t.max_per_person AND bool_or(o.state <> 'paid')""",
}


def check() -> list[Violation]:
    """All broken promises, none when the house is in order. Reads one snapshot, so a running sale raises no alarm."""
    found = []
    with transaction.atomic(), connection.cursor() as cursor:
        if not connection.needs_rollback and len(connection.atomic_blocks) == 1:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for promise, query in PROMISES.items():
            cursor.execute(query)
            rows = cursor.fetchall()
            if rows:
                found.append(Violation(promise, tuple(rows)))
        found += _compare_with_allotments()
    return found


def _compare_with_allotments() -> list[Violation]:
    """What allotments keep and count, against what quotas and held lines say."""
    found = []
    kept: Counter[int] = Counter()
    held = OrderLine.objects.filter(is_held=True).exclude(allotment="").values_list("allotment").order_by()
    lines = dict(held.annotate(n=Count("pk")))
    for allotment in allotments:
        counters = allotment.kept()
        kept.update(counters.set_aside)
        ours = {int(name.partition(":")[2]): n for name, n in lines.items() if name.startswith(f"{allotment.slug}:")}
        theirs = {key: n for key, n in counters.taken.items() if n}
        if rows := tuple(sorted(set(theirs.items()) ^ set(ours.items()))):
            found.append(Violation(f"the allotment “{allotment.slug}” counts the lines that are held from it", rows))
    quotas = dict(Quota.objects.exclude(set_aside=0).values_list("pk", "set_aside"))
    said = {pk: n for pk, n in kept.items() if n}
    if rows := tuple(sorted(set(said.items()) ^ set(quotas.items()))):
        found.append(Violation("what a quota sets aside is what allotments keep of it", rows))
    return found
