"""The kinds of event that come with the house: a student dinner, a concert, a conference. Plain data, for the wizard.

Each brings a wheelchair ticket and a free one for its companion, with places of their own: they are still there when
all else is sold out.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.ticketing.extensions import EventTemplate, QuestionSketch, TicketSketch, Words

WHEELCHAIR = TicketSketch(
    "wheelchair",
    Words("Rullstolsplats", "Wheelchair place"),
    Words(
        "Plats för rullstol. Behöver du en ledsagare, ta en ledsagarbiljett i samma beställning.",
        "A place for a wheelchair. If you need a companion, take a companion ticket in the same order.",
    ),
    places=2,
    max_per_order=2,
    max_per_person=2,
)
COMPANION = TicketSketch(
    "companion",
    Words("Ledsagare", "Companion"),
    Words(
        "Gratis, för den som hjälper en gäst med rullstolsplats. Gäller bara tillsammans med den gästen.",
        "Free, for whoever helps a guest with a wheelchair place. Valid only together with that guest.",
    ),
    price_minor=0,
    places=2,
    max_per_order=2,
    max_per_person=2,
    is_resellable=False,
)
BOTH = (WHEELCHAIR, COMPANION)

FOOD = QuestionSketch(
    "food",
    Words("Mat", "Food"),
    (Words("Kött", "Meat"), Words("Vegetariskt", "Vegetarian"), Words("Veganskt", "Vegan")),
)
DRINK = QuestionSketch(
    "drink",
    Words("Dryck", "Beverage"),
    (Words("Öl", "Beer"), Words("Cider", "Cider"), Words("Alkoholfritt", "Alcohol-free")),
)

CANNOT_COME = (
    Words("Jag kan inte komma, vad gör jag?", "What if I cannot come?"),
    Words(
        "Skriv till oss så snart du vet, så får någon annan din plats.",
        "Write to us as soon as you know, and somebody else gets your place.",
    ),
)
WHEELCHAIR_QUESTION = (
    Words("Kan jag komma med rullstol?", "Can I come in a wheelchair?"),
    Words(
        "Ja. Välj Rullstolsplats, och Ledsagare om du har någon med dig. Skriv till oss om du behöver något mer.",
        "Yes. Choose Wheelchair place, and Companion if somebody comes with you. Write to us if you need more.",
    ),
)
ALLERGY = (
    Words("Jag är allergisk, vad gör jag?", "What if I have an allergy?"),
    Words(
        "Skriv till oss en vecka innan, så ordnar köket det.", "Write to us a week before and the kitchen sees to it."
    ),
)

SITTNING = EventTemplate(
    slug="sittning",
    name=_("Sittning"),
    says=_("Dinner at set tables, with songs: one ticket, food and beverage to choose, 18 years."),
    icon="group",
    hours=7,
    tickets=(TicketSketch("ordinary", Words("Sittning", "Dinner")), *BOTH),
    questions=(FOOD, DRINK),
    text=Words(
        "Välkommen till bords! Vi äter, sjunger och dansar tills ljusen har brunnit ner.\n\n"
        "Sångböcker ligger på borden. Kom i tid, vi börjar äta tillsammans.",
        "Take a seat! We eat, sing and dance until the candles have burnt down.\n\n"
        "Songbooks are on the tables. Be on time, we begin to eat together.",
    ),
    faq=(ALLERGY, WHEELCHAIR_QUESTION, CANNOT_COME),
    minimum_age=18,
    motif="arches",
)
CONCERT = EventTemplate(
    slug="concert",
    name=_("Concert"),
    says=_("A stage and an audience: one ticket for everybody, no choices."),
    icon="openquote",
    hours=4,
    tickets=(TicketSketch("ordinary", Words("Biljett", "Ticket")), *BOTH),
    text=Words(
        "Dörrarna öppnas, ljuset släcks, musiken börjar.\n\nKom i god tid: den som är först inne står längst fram.",
        "Doors open, lights go down, the music begins.\n\nCome in good time: whoever is first inside stands in front.",
    ),
    notes=(
        (
            Words("Garderob", "Cloakroom"),
            Words("Lämna stora väskor hemma eller i garderoben", "Leave large bags at home or in the cloakroom"),
        ),
    ),
    faq=(WHEELCHAIR_QUESTION, CANNOT_COME),
    motif="bars",
)
CONFERENCE = EventTemplate(
    slug="conference",
    name=_("Conference"),
    says=_("A day of talks with lunch: one ticket for participants, and what they want to eat."),
    icon="calendar-alt",
    hours=8,
    tickets=(TicketSketch("ordinary", Words("Deltagare", "Participant")), *BOTH),
    questions=(FOOD,),
    text=Words(
        "En dag med föredrag, samtal och lunch.\n\nProgrammet kommer här så snart det är klart.",
        "A day of talks, conversations and lunch.\n\nThe programme will stand here as soon as it is ready.",
    ),
    notes=(
        (
            Words("Lunch och fika ingår", "Lunch and coffee are included"),
            Words("Du väljer mat när du köper biljetten", "You choose your food when you buy the ticket"),
        ),
    ),
    faq=(ALLERGY, WHEELCHAIR_QUESTION, CANNOT_COME),
    motif="quarters",
)
OURS = (SITTNING, CONCERT, CONFERENCE)
