"""The start texts: what a house says that has written nothing of its own. Plain words that hold for Foyer as it is
delivered; no lawyer's, and no substitute for one.

Braces are filled with the facts of the organisation. A paragraph or list item whose fact is not known is left out.
What the law says is told where it was looked up, in docs/legal-texts.md. A changed text here is a new version there.
"""

from __future__ import annotations

PLACEHOLDERS = ("seller", "organisation_number", "address", "email", "vat_number", "site")
SELLER_OF_THE_HOUSE = ("föreningen som håller i evenemanget", "the association that arranges the event")

TERMS_SV = """
<p>Det här gäller när du köper biljett på {site}.</p>
<h2>Vem du köper av</h2>
<p>Säljare är {seller}. Avtalet är mellan dig och säljaren.</p>
<ul>
<li>Organisationsnummer: {organisation_number}</li>
<li>Momsregistreringsnummer: {vat_number}</li>
<li>Postadress: {address}</li>
<li>E-post: {email}</li>
</ul>
<h2>Pris och betalning</h2>
<p>Priset är det du ser innan du betalar. Moms ingår, och inga avgifter tillkommer. Du betalar först när du har fått
en plats. Går tiden ut innan du har betalat går platsen vidare och ingenting dras.</p>
<h2>Biljetten</h2>
<p>Biljetten kommer med e-post och ligger bakom länken till din beställning. En kod släpper in en person, en gång.
Visa den på mobilen eller på papper. Ta med legitimation om det står på biljetten.</p>
<h2>Om du inte kan komma</h2>
<p>Biljetter till ett bestämt datum har ingen ångerrätt (2 kap. 11 § lagen 2005:59 om distansavtal och avtal utanför
affärslokaler). Skriv ändå till säljaren: går platsen att ge till någon annan hjälper säljaren dig om den kan.</p>
<h2>Om evenemanget ändras eller ställs in</h2>
<p>Ställs evenemanget in får du tillbaka det du har betalat, på samma sätt som du betalade. Flyttas det eller ändras
det så att det inte längre är vad du köpte får du välja mellan att behålla biljetten och att få pengarna tillbaka.</p>
<h2>Om något blir fel</h2>
<p>Skriv till säljaren först. Kommer ni inte överens kan du vända dig till Allmänna reklamationsnämnden (arn.se).
Råd får du av Hallå konsument, 0771-525 525.</p>
"""

TERMS_EN = """
<p>This holds when you buy a ticket on {site}.</p>
<h2>Whom you buy from</h2>
<p>The seller is {seller}. The contract is between you and the seller.</p>
<ul>
<li>Organisation number: {organisation_number}</li>
<li>VAT number: {vat_number}</li>
<li>Postal address: {address}</li>
<li>E-mail: {email}</li>
</ul>
<h2>Price and payment</h2>
<p>The price is the one you see before you pay. VAT is included, and no fees are added. You pay only once you have a
place. If time runs out before you have paid, the place moves on and nothing is charged.</p>
<h2>The ticket</h2>
<p>The ticket comes by e-mail and stands behind the link to your order. A code lets one person in, once. Show it on
your phone or on paper. Bring identification if the ticket says so.</p>
<h2>If you cannot come</h2>
<p>There is no right of withdrawal for tickets to a set date (chapter 2, section 11 of the Swedish act 2005:59 on
distance contracts). Write to the seller all the same: if somebody else can have your place, the seller helps you where
it can.</p>
<h2>If the event is changed or cancelled</h2>
<p>If the event is cancelled you get back what you paid, the way you paid it. If it is moved, or changed so that it is
no longer what you bought, you choose between keeping the ticket and getting your money back.</p>
<h2>If something goes wrong</h2>
<p>Write to the seller first. If you cannot agree, you can turn to the Swedish National Board for Consumer Disputes
(arn.se). Hallå konsument gives advice, +46 771 525 525.</p>
"""

PRIVACY_SV = """
<p>Så här behandlas dina personuppgifter på {site}.</p>
<h2>Vem som ansvarar</h2>
<p>Ansvarig för uppgifterna om ett köp är {seller}.</p>
<ul>
<li>Organisationsnummer: {organisation_number}</li>
<li>Postadress: {address}</li>
<li>E-post: {email}</li>
</ul>
<h2>Vad vi sparar, och varför</h2>
<ul>
<li>E-postadress, namn och vad du har köpt: för att leverera biljetten, visa den för dig och ge dig kvitto. Det behövs
för avtalet med dig.</li>
<li>Betalningen: för bokföringen, som lagen kräver. Av ett kort sparar vi märket och de fyra sista siffrorna, för att
kunna säga vart pengar går tillbaka. Resten ser bara den som tar emot betalningen.</li>
<li>Namn på gäster och svar på frågor, till exempel om mat, när evenemanget frågar efter dem: för att ta hand om dig på
plats.</li>
<li>E-postadress och vilka biljetter du väntar på, om du ställer dig på en väntelista: för att erbjuda dig dem.</li>
<li>När biljetten visades i dörren: för att en kod ska släppa in en person, en gång.</li>
<li>Konto och språkval, om du loggar in.</li>
</ul>
<h2>Hur länge</h2>
<p>Det som hör till bokföringen sparas i sju år efter årets slut (7 kap. 2 § bokföringslagen 1999:1078). Vem som
stod på en väntelista raderas 90 dagar efter evenemanget. Resten behövs inte längre än evenemanget och frågorna efter
det.</p>
<h2>Vem som får se</h2>
<p>De som håller i evenemanget och de som sköter dörren, de som driver {site} för föreningarna, och de som tar emot
betalningar och skickar e-post åt oss. Vi säljer inga uppgifter, visar ingen reklam och spårar ingen.</p>
<h2>Kakor</h2>
<p>Bara sådana som behövs: för att hålla dig inloggad, skydda formulär och minnas ditt språk. Därför frågar vi inte om
samtycke.</p>
<h2>Dina rättigheter</h2>
<p>Du kan få veta vad som finns om dig, få fel rättade, få det raderat som inte måste sparas, få ut det du har lämnat,
och invända mot hur det används. Den som håller i evenemanget svarar.</p>
<p>Skriv till {email}.</p>
<p>Är du inte nöjd kan du klaga hos Integritetsskyddsmyndigheten (imy.se).</p>
"""

PRIVACY_EN = """
<p>This is how your personal data is handled on {site}.</p>
<h2>Who is responsible</h2>
<p>The controller of the data about a purchase is {seller}.</p>
<ul>
<li>Organisation number: {organisation_number}</li>
<li>Postal address: {address}</li>
<li>E-mail: {email}</li>
</ul>
<h2>What we keep, and why</h2>
<ul>
<li>E-mail address, name and what you bought: to deliver the ticket, show it to you and give you a receipt. The contract
with you needs it.</li>
<li>The payment: for the books, which the law demands. Of a card we keep the brand and the last four digits, to tell you
where money goes back. Only whoever takes the payment sees the rest.</li>
<li>Names of guests and answers to questions, about food for instance, where the event asks for them: to look after you
there.</li>
<li>E-mail address and which tickets you wait for, if you join a waiting list: to offer them to you.</li>
<li>When the ticket was shown at the door: so that a code lets one person in, once.</li>
<li>Your account and language, if you sign in.</li>
</ul>
<h2>How long</h2>
<p>What belongs to the books is kept for seven years after the year's end (chapter 7, section 2 of the Swedish
Bookkeeping Act, 1999:1078). Who stood on a waiting list is erased 90 days after the event. The rest is needed no longer
than the event and the questions after it.</p>
<h2>Who sees it</h2>
<p>Those who arrange the event and those at its door, those who run {site} for the associations, and those who take
payments and send e-mail for us. We sell no data, show no advertisements and track nobody.</p>
<h2>Cookies</h2>
<p>Only those that are needed: to keep you signed in, to protect forms and to remember your language. That is why we
do not ask for consent.</p>
<h2>Your rights</h2>
<p>You can learn what is kept about you, have mistakes corrected, have erased what need not be kept, take with you what
you gave, and object to how it is used. Whoever arranges the event answers.</p>
<p>Write to {email}.</p>
<p>If you are not content, you can complain to the Swedish Authority for Privacy Protection (imy.se).</p>
"""

ACCESSIBILITY_SV = """
<p>Alla ska kunna köpa biljett och komma in. Det här är vad sidorna på {site} klarar, och vad de inte klarar än.</p>
<h2>Vad sidorna uppfyller</h2>
<p>Sidorna är byggda för att uppfylla WCAG 2.2 på nivå AA. De går att använda med enbart tangentbord, med skärmläsare,
i 400 procents förstoring, i mörkt och ljust läge och utan JavaScript. Fel står i klartext intill fältet, och den tid
du har på dig att betala kan förlängas.</p>
<h2>Kända brister</h2>
<ul>
<li>Ingen som använder skärmläsare till vardags har provat sidorna än.</li>
<li>I de äldsta webbläsarna (Safari på iOS 15, Chrome 90) är sidorna bedömda, inte körda.</li>
<li>Bilder och texter som arrangörer lägger in kan sakna bildbeskrivning eller engelsk version.</li>
<li>Sidorna hos den som tar emot betalningen är inte våra.</li>
</ul>
<h2>Hur det är granskat</h2>
<p>Av oss själva, med automatiska prov av alla sidtyper vid varje ändring och med tangentbord. Ingen utomstående har
granskat sidorna.</p>
<h2>Säg till</h2>
<p>Är något i vägen, eller behöver du en biljett eller information på annat sätt? Säg till {seller}.</p>
<p>Skriv till {email}.</p>
<h2>Om vi inte hjälper dig</h2>
<p>Post- och telestyrelsen (pts.se) har tillsyn över att e-handel är tillgänglig, enligt lagen (2023:254) om vissa
produkters och tjänsters tillgänglighet. Dit kan du anmäla brister.</p>
<p>Senast ändrad 29 november 2026.</p>
"""

ACCESSIBILITY_EN = """
<p>Everybody should be able to buy a ticket and get in. This is what the pages of {site} can do, and what they cannot
do yet.</p>
<h2>What the pages meet</h2>
<p>The pages are built to meet WCAG 2.2 at level AA. They can be used by keyboard alone, with a screen reader, at 400
percent, in dark and light, and without JavaScript. Errors are told in plain words beside the field, and the time you
have to pay can be extended.</p>
<h2>Known gaps</h2>
<ul>
<li>Nobody who uses a screen reader every day has tried the pages yet.</li>
<li>For the oldest browsers (Safari on iOS 15, Chrome 90) the pages were judged, not run.</li>
<li>Pictures and texts that organisers add may lack a description or an English version.</li>
<li>The pages of whoever takes the payment are not ours.</li>
</ul>
<h2>How it was examined</h2>
<p>By ourselves, with automatic tests of every kind of page at each change, and by keyboard. Nobody from outside has
examined the pages.</p>
<h2>Tell us</h2>
<p>Is something in the way, or do you need a ticket or information in another form? Tell {seller}.</p>
<p>Write to {email}.</p>
<h2>If we do not help you</h2>
<p>The Swedish Post and Telecom Authority (pts.se) supervises that e-commerce is accessible, under the act (2023:254)
on the accessibility of certain products and services. You can report gaps there.</p>
<p>Last changed 29 November 2026.</p>
"""

# {kind: (Swedish, English)}
START = {
    "terms": (TERMS_SV.strip(), TERMS_EN.strip()),
    "privacy": (PRIVACY_SV.strip(), PRIVACY_EN.strip()),
    "accessibility": (ACCESSIBILITY_SV.strip(), ACCESSIBILITY_EN.strip()),
}
