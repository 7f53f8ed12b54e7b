"""The five demo applications and their faults: data for month.py.

Messages and stacks are templates over the words of `month._words`; `{header}` in a stack is "type: message".
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from bloop.issues.status.model import Status
from bloop.issues.status.mutes import FOREVER, Mute
from bloop.issues.status.regression import NOW, Resolution


class Release(NamedTuple):
    name: str
    days_ago: float  # when it came out
    build: str = ""  # of an app in a store


@dataclass(frozen=True, slots=True)
class App:
    """An application; `releases` oldest first."""

    slug: str
    name: str
    source: str
    releases: tuple[Release, ...]
    environments: tuple[str, ...] = ("production", "staging")
    environment_weights: tuple[int, ...] = (95, 5)
    updates_slowly: bool = False


class FaultShape(StrEnum):
    """How a fault spreads over its days."""

    STEADY = "steady"
    FADING = "fading"
    RISING = "rising"
    SPIKE = "spike"
    REGRESSED = "regressed"


@dataclass(frozen=True, slots=True)
class Fault:
    """One issue. `weight` is its share of all events; it got the status `changed_to` `changed_days_ago`.

    If it was resolved in a release, that release and later ones do not have it.
    """

    app: App
    error_type: str
    message: str
    stack: str
    weight: float
    level: str = "error"
    route: str = ""
    screen: str = ""
    http_status: int = 0
    shape: FaultShape = FaultShape.STEADY
    since_days_ago: float = 30
    until_days_ago: float = 0
    anonymous: bool = False
    metadata: Mapping[str, object] = field(default_factory=dict)
    changed_to: Status | None = None
    changed_days_ago: float = 0
    fixed_in: Resolution = NOW
    mute: Mute = FOREVER
    muted_for_days: float = 0


SHOP = App(
    "web-shop",
    "Web shop",
    "web",
    (Release("2026.44.2", 31), Release("2026.45.0", 16), Release("2026.46.1", 6), Release("2026.47.0", 1.7)),
    ("production", "preview", "development"),
    (92, 6, 2),
)
IOS = App(
    "ios-app",
    "iOS app",
    "ios",
    (Release("5.8.0", 40, "5801"), Release("5.8.2", 19, "5823"), Release("5.9.0", 4, "5907")),
    ("production", "testflight"),
    (93, 7),
    updates_slowly=True,
)
ANDROID = App(
    "android-app",
    "Android app",
    "android",
    (Release("5.8.0", 38, "58010"), Release("5.8.3", 15, "58034"), Release("5.9.0", 3, "59002")),
    ("production", "beta"),
    (94, 6),
    updates_slowly=True,
)
API = App(
    "checkout-api",
    "Checkout API",
    "python",
    (Release("a41f9c2", 31), Release("7be03d1", 20), Release("c90e6fa", 9), Release("e2d87b4", 1.7)),
)
WORKER = App(
    "worker",
    "Background worker",
    "ruby",
    (Release("v311", 31), Release("v318", 12), Release("v322", 2)),
)
APPS = (SHOP, IOS, ANDROID, API, WORKER)

_REACT = """\
    at renderWithHooks (https://shop.example/node_modules/react-dom/cjs/react-dom.production.js:1240:18)
    at beginWork (https://shop.example/node_modules/react-dom/cjs/react-dom.production.js:2411:14)
    at workLoopSync (https://shop.example/node_modules/react-dom/cjs/react-dom.production.js:5002:22)"""

_DJANGO = """\
Traceback (most recent call last):
  File "/srv/api/.venv/lib/python3.12/site-packages/django/core/handlers/exception.py", line 55, in inner
    response = get_response(request)
  File "/srv/api/.venv/lib/python3.12/site-packages/django/core/handlers/base.py", line 197, in _get_response
    response = wrapped_callback(request, *callback_args, **callback_kwargs)"""

_SIDEKIQ = """\
/usr/local/bundle/gems/sidekiq-7.3.9/lib/sidekiq/processor.rb:220:in 'Sidekiq::Processor#execute_job'
/usr/local/bundle/gems/sidekiq-7.3.9/lib/sidekiq/processor.rb:185:in 'block (4 levels) in Sidekiq::Processor#process'
/usr/local/bundle/gems/sidekiq-7.3.9/lib/sidekiq/middleware/chain.rb:180:in 'Sidekiq::Middleware::Chain#traverse'
/usr/local/bundle/gems/sidekiq-7.3.9/lib/sidekiq/job_retry.rb:118:in 'Sidekiq::JobRetry#local'"""

_ANDROID_MAIN = """\
\tat android.os.Handler.dispatchMessage(Handler.java:106)
\tat android.os.Looper.loop(Looper.java:294)
\tat android.app.ActivityThread.main(ActivityThread.java:8248)
\tat java.lang.reflect.Method.invoke(Native Method)
\tat com.android.internal.os.ZygoteInit.main(ZygoteInit.java:971)"""

_IOS_MAIN = """\
3   UIKitCore                   0x00000001a4c7f1b0 -[UIApplication sendAction:to:from:forEvent:] + 100
4   UIKitCore                   0x00000001a4b02e54 -[UIControl sendAction:to:forEvent:] + 112
5   CoreFoundation              0x00000001a2391f34 __CFRUNLOOP_IS_SERVICING_THE_MAIN_DISPATCH_QUEUE__ + 28
6   GraphicsServices            0x00000001e5f1c1a8 GSEventRunModal + 164
7   dyld                        0x00000001c59b0ec8 start + 2724"""

FAULTS = (
    Fault(
        SHOP,
        "TypeError",
        "Cannot read properties of undefined (reading 'price')",
        """{header}
    at lineTotal (https://shop.example/assets/cart.7f3a9c21.js:1:20931)
    at Array.reduce (<anonymous>)
    at CartStore.total (https://shop.example/assets/cart.7f3a9c21.js:1:21440)
    at CartSummary (https://shop.example/assets/cart.7f3a9c21.js:1:30112)
"""
        + _REACT,
        weight=210,
        route="/cart",
        shape=FaultShape.REGRESSED,
        metadata={"browser": "{browser}", "sku": "{sku}", "cart": {"items": 3, "currency": "EUR"}},
        changed_to=Status.RESOLVED,
        changed_days_ago=13.5,
        fixed_in=Resolution(is_next=True),
    ),
    Fault(
        API,
        "PaymentGatewayTimeout",
        "POST https://pay.example/v2/charges timed out after {ms} ms (request {uuid})",
        _DJANGO
        + """
  File "/srv/api/checkout/views.py", line 88, in charge
    receipt = payments.charge(order, idempotency_key=key)
  File "/srv/api/checkout/payments.py", line 141, in charge
    response = self._client.post("/v2/charges", json=body, timeout=self._timeout)
  File "/srv/api/.venv/lib/python3.12/site-packages/httpx/_client.py", line 1144, in post
    return self.request("POST", url, json=json, timeout=timeout)
httpx.ReadTimeout: The read operation timed out

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/api/checkout/payments.py", line 149, in charge
    raise PaymentGatewayTimeout(order.id, elapsed_ms) from error
checkout.errors.{header}
""",
        weight=170,
        level="fatal",
        route="POST /v1/checkout/charge",
        http_status=504,
        shape=FaultShape.SPIKE,
        metadata={"provider": "pay.example", "attempt": 2, "order": "ord_{id}", "region": "eu-central-1"},
    ),
    Fault(
        IOS,
        "EXC_BREAKPOINT",
        "Fatal error: Unexpectedly found nil while unwrapping an Optional value",
        """\
0   Bramble                     0x0000000104f2b1c0 CheckoutViewModel.apply(coupon:) (CheckoutViewModel.swift:88)
1   Bramble                     0x0000000104f2a8d4 CheckoutView.applyTapped() (CheckoutView.swift:142)
2   SwiftUI                     0x00000001a8d1c7f8 closure #1 in ButtonAction.callAsFunction() + 92
"""
        + _IOS_MAIN,
        weight=95,
        level="fatal",
        screen="Checkout",
        shape=FaultShape.RISING,
        since_days_ago=4,
        metadata={"device": "{device}", "os": "iOS 26.1", "free_memory_mb": 212, "jailbroken": "false"},
    ),
    Fault(
        ANDROID,
        "java.lang.IllegalStateException",
        "Fragment CheckoutFragment{{{id}}} not attached to a context.",
        """java.lang.IllegalStateException: Fragment CheckoutFragment{{{id}}} not attached to a context.
\tat androidx.fragment.app.Fragment.requireContext(Fragment.java:977)
\tat com.bramble.shop.checkout.CheckoutFragment.showTotals(CheckoutFragment.kt:203)
\tat com.bramble.shop.checkout.CheckoutFragment.access$showTotals(CheckoutFragment.kt:41)
\tat com.bramble.shop.checkout.CheckoutFragment$observe$1.invokeSuspend(CheckoutFragment.kt:118)
\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(ContinuationImpl.kt:33)
\tat kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:104)
"""
        + _ANDROID_MAIN,
        weight=130,
        level="fatal",
        screen="CheckoutFragment",
        metadata={"device": "{phone}", "os": "Android 16", "locale": "de-DE"},
    ),
    Fault(
        WORKER,
        "ActiveRecord::Deadlocked",
        "PG::TRDeadlockDetected: ERROR: deadlock detected\nDETAIL: Process {id} waits for ShareLock on "
        "transaction {ms}; blocked by process {id}.\nHINT: See server log for query details.",
        """app/models/stock_level.rb:57:in 'StockLevel#reserve!'
app/services/reservation_service.rb:31:in 'block in ReservationService#call'
/usr/local/bundle/gems/activerecord-8.0.2/lib/active_record/transactions.rb:234:in 'transaction'
app/services/reservation_service.rb:24:in 'ReservationService#call'
app/jobs/reserve_stock_job.rb:15:in 'ReserveStockJob#perform'
"""
        + _SIDEKIQ,
        weight=60,
        route="ReserveStockJob",
        anonymous=True,
        metadata={"queue": "critical", "retry": 3, "jid": "{hex}"},
    ),
    Fault(
        SHOP,
        "ChunkLoadError",
        "Loading chunk {small} failed.\n(missing: https://shop.example/assets/chunk-{id}.js)",
        """{header}
    at __webpack_require__.f.j (https://shop.example/assets/runtime.js:1:4211)
    at loadRoute (https://shop.example/assets/app.5d1e77b0.js:1:9120)
    at async Router.navigate (https://shop.example/assets/app.5d1e77b0.js:1:10233)""",
        weight=160,
        level="warning",
        route="/product/:slug",
        shape=FaultShape.FADING,
        metadata={"browser": "{browser}", "online": "true"},
        changed_to=Status.IGNORED,
        changed_days_ago=8,
    ),
    Fault(
        API,
        "IntegrityError",
        'duplicate key value violates unique constraint "orders_idempotency_key_key"\nDETAIL:  Key '
        "(idempotency_key)=({uuid}) already exists.",
        _DJANGO
        + """
  File "/srv/api/orders/views.py", line 52, in create
    order = Order.objects.create(**fields, idempotency_key=key)
  File "/srv/api/.venv/lib/python3.12/site-packages/django/db/models/query.py", line 679, in create
    obj.save(force_insert=True, using=self.db)
  File "/srv/api/.venv/lib/python3.12/site-packages/django/db/backends/utils.py", line 105, in _execute
    return self.cursor.execute(sql, params)
django.db.utils.{header}
""",
        weight=85,
        route="POST /v1/orders",
        http_status=500,
        metadata={"order": "ord_{id}", "retries": 1},
    ),
    Fault(
        API,
        "ValidationError",
        "Unbekannte Postleitzahl „{id}“ für Österreich – bitte prüfen",
        _DJANGO
        + """
  File "/srv/api/addresses/forms.py", line 74, in clean_postcode
    raise ValidationError(MESSAGES[country].format(postcode))
django.core.exceptions.{header}
""",
        weight=70,
        level="info",
        route="POST /v1/addresses",
        http_status=422,
        changed_to=Status.MUTED,
        changed_days_ago=5,
        mute=Mute(per_hour=500),
        metadata={"country": "AT", "postcode": "{id}"},
    ),
    Fault(
        IOS,
        "NSURLErrorDomain",
        "The request timed out. (-1001) https://api.bramble.example/v1/feed?page={small}",
        """0   Bramble                     0x0000000104e11f04 APIClient.send(_:) (APIClient.swift:64)
1   Bramble                     0x0000000104e0c998 FeedStore.loadNext() (FeedStore.swift:37)
2   libswift_Concurrency.dylib  0x00000001c6f8a3b1 completeTaskWithClosure(swift::AsyncContext*) + 1""",
        weight=120,
        level="warning",
        screen="Feed",
        metadata={"device": "{device}", "network": "cellular", "bytes_received": 0},
        changed_to=Status.MUTED,
        changed_days_ago=3,
        muted_for_days=14,
    ),
    Fault(
        ANDROID,
        "android.os.DeadObjectException",
        "Transaction failed on small parcel; remote process probably died",
        """android.os.DeadObjectException: Transaction failed on small parcel; remote process probably died
\tat android.os.BinderProxy.transactNative(Native Method)
\tat android.os.BinderProxy.transact(BinderProxy.java:662)
\tat com.bramble.shop.push.TokenSync.register(TokenSync.kt:58)
\tat com.bramble.shop.push.TokenSync$onStart$1.run(TokenSync.kt:33)
"""
        + _ANDROID_MAIN,
        weight=34,
        screen="Splash",
        metadata={"device": "{phone}"},
        changed_to=Status.RESOLVED,
        changed_days_ago=2.5,
        fixed_in=Resolution("5.9.0"),
    ),
    Fault(
        WORKER,
        "Net::SMTPFatalError",
        "550 5.1.1 <customer-{id}@mail.example>: Recipient address rejected: User unknown in virtual mailbox table",
        """app/mailers/receipt_mailer.rb:19:in 'ReceiptMailer#deliver'
app/jobs/send_receipt_job.rb:12:in 'SendReceiptJob#perform'
"""
        + _SIDEKIQ,
        weight=45,
        level="warning",
        route="SendReceiptJob",
        anonymous=True,
        changed_to=Status.MUTED,
        changed_days_ago=11,
        metadata={"queue": "mailers", "jid": "{hex}"},
    ),
    Fault(
        SHOP,
        "QuotaExceededError",
        "Failed to execute 'setItem' on 'Storage': Setting the value of 'recently-viewed' exceeded the quota.",
        """{header}
    at persist (https://shop.example/assets/app.5d1e77b0.js:1:44120)
    at RecentlyViewed.add (https://shop.example/assets/app.5d1e77b0.js:1:44610)
    at onProductView (https://shop.example/assets/app.5d1e77b0.js:1:51007)""",
        weight=38,
        level="warning",
        route="/product/:slug",
        metadata={"browser": "{browser}", "entries": 412},
    ),
    Fault(
        API,
        "KeyError",
        "'vat_id'",
        _DJANGO
        + """
  File "/srv/api/invoices/render.py", line 33, in render
    return TEMPLATE.format(vat=company["vat_id"])
KeyError: 'vat_id'
""",
        weight=22,
        route="GET /v1/invoices/:id",
        http_status=500,
        shape=FaultShape.RISING,
        since_days_ago=1.6,
        metadata={"invoice": "inv_{id}"},
    ),
    Fault(
        SHOP,
        "FormatError",
        "فشل تحميل السلة: رمز الخصم \u202bSAVE-{small}\u202c غير صالح (HTTP 422)",
        """{header}
    at formatMessage (https://shop.example/assets/i18n.c0ffee12.js:1:1180)
    at Coupon.apply (https://shop.example/assets/cart.7f3a9c21.js:1:27702)""",
        weight=17,
        route="/cart",
        http_status=422,
        since_days_ago=0.8,
        metadata={"browser": "{browser}", "locale": "ar"},
    ),
    Fault(
        IOS,
        "DecodingError",
        'keyNotFound(CodingKeys(stringValue: "loyaltyTier"), context: path "user.profile", '
        'debugDescription: "No value associated with key loyaltyTier (\\"loyaltyTier\\"). 🧾 order {id}")',
        """0   Bramble                     0x0000000104e52210 ProfileResponse.init(from:) (ProfileResponse.swift:21)
1   Bramble                     0x0000000104e11b60 APIClient.decode(_:from:) (APIClient.swift:91)
2   Foundation                  0x00000001a1e4c1d0 JSONDecoder.decode<A>(_:from:) + 560""",
        weight=52,
        screen="Profile",
        until_days_ago=0.05,
        metadata={"device": "{device}"},
        changed_to=Status.RESOLVED,
        changed_days_ago=0.02,
    ),
    Fault(
        WORKER,
        "OpenSSL::SSL::SSLError",
        "SSL_connect returned=1 errno=0 peeraddr={ip}:443 state=error: "
        "certificate verify failed (certificate has expired)",
        """app/clients/warehouse_client.rb:44:in 'WarehouseClient#stock'
app/jobs/sync_stock_job.rb:22:in 'SyncStockJob#perform'
"""
        + _SIDEKIQ,
        weight=75,
        level="fatal",
        route="SyncStockJob",
        anonymous=True,
        since_days_ago=0.35,
        metadata={"host": "warehouse.example", "queue": "default"},
    ),
    Fault(
        API,
        "OperationalError",
        'connection to server at "10.0.3.12", port 5432 failed: FATAL: remaining connection slots are reserved',
        _DJANGO
        + """
  File "/srv/api/core/middleware.py", line 29, in __call__
    request.tenant = Tenant.objects.get(host=request.get_host())
  File "/srv/api/.venv/lib/python3.12/site-packages/psycopg/connection.py", line 119, in connect
    raise last_ex.with_traceback(None)
psycopg.{header}
""",
        weight=140,
        level="fatal",
        route="GET /v1/catalog",
        http_status=500,
        since_days_ago=18,
        until_days_ago=10,
        metadata={"pool_size": 20},
        changed_to=Status.RESOLVED,
        changed_days_ago=9.8,
    ),
    Fault(
        ANDROID,
        "java.lang.OutOfMemoryError",
        "Failed to allocate a {ms}000 byte allocation with 4194304 free bytes and 6MB until OOM",
        """java.lang.OutOfMemoryError: Failed to allocate
\tat android.graphics.BitmapFactory.nativeDecodeStream(Native Method)
\tat com.bramble.shop.gallery.ImageCache.decode(ImageCache.kt:71)
\tat com.bramble.shop.gallery.GalleryAdapter.onBindViewHolder(GalleryAdapter.kt:48)
\tat androidx.recyclerview.widget.RecyclerView$Adapter.bindViewHolder(RecyclerView.java:7846)
"""
        + _ANDROID_MAIN,
        weight=29,
        level="fatal",
        screen="Gallery",
        metadata={"device": "{phone}", "heap_mb": 256},
    ),
)

_TYPES: Mapping[str, tuple[str, ...]] = {
    SHOP.slug: ("TypeError", "RangeError", "NetworkError", "SyntaxError", "HydrationError"),
    IOS.slug: ("DecodingError", "CoreDataError", "EXC_BAD_ACCESS", "NSInvalidArgumentException"),
    ANDROID.slug: ("java.lang.NullPointerException", "java.net.SocketTimeoutException", "retrofit2.HttpException"),
    API.slug: ("ValueError", "PermissionDenied", "ObjectDoesNotExist", "TimeoutError", "DataError"),
    WORKER.slug: ("ArgumentError", "NoMethodError", "Faraday::TimeoutError", "ActiveRecord::RecordInvalid"),
}
_THINGS = (
    "order",
    "invoice",
    "basket",
    "payment",
    "account",
    "avatar",
    "shipment",
    "coupon",
    "wishlist",
    "review",
    "refund",
    "catalog",
    "voucher",
)
_PLACES = (
    "Inventory",
    "Billing",
    "Loyalty",
    "Search",
    "Media",
    "Reports",
    "Identity",
    "Returns",
    "Pricing",
    "Shipping",
    "Onboarding",
)
_DEEDS = ("load", "save", "parse", "render", "merge", "validate", "refresh", "publish")
_STACKS: Mapping[str, str] = {
    SHOP.slug: """{{header}}
    at {deed}{Thing} (https://shop.example/assets/{place}.5d1e77b0.js:1:{line})
    at {Place}Page (https://shop.example/assets/{place}.5d1e77b0.js:1:{line}77)
""",
    IOS.slug: """0   Bramble                     0x0000000104e52210 {Place}.{deed}{Thing}() ({Place}.swift:{line})
1   Bramble                     0x0000000104e11b60 {Place}View.body.getter ({Place}View.swift:{line})
""",
    ANDROID.slug: """{{header}}
\tat com.bramble.shop.{place}.{Place}Repository.{deed}{Thing}({Place}Repository.kt:{line})
\tat com.bramble.shop.{place}.{Place}ViewModel.refresh({Place}ViewModel.kt:40)
""",
    API.slug: """{django}
  File "/srv/api/{place}/services.py", line {line}, in {deed}_{thing}
    return self._{deed}({thing})
{{header}}
""",
    WORKER.slug: """app/services/{place}_service.rb:{line}:in '{Place}Service#{deed}_{thing}'
app/jobs/{deed}_{thing}_job.rb:11:in '{Deed}{Thing}Job#perform'
""",
}


def invented(number: int, rng: random.Random) -> Fault:
    """A plausible fault that no other number has: its place, deed and thing are digits of `number`."""
    app = APPS[number % len(APPS)]
    rest, deed = divmod(number // len(APPS), len(_DEEDS))
    rest, thing = divmod(rest, len(_THINGS))
    generation, place = divmod(rest, len(_PLACES))
    place = (place + 3 * deed + 5 * thing) % len(_PLACES)  # so that neighbours differ in all three
    words = {
        "deed": _DEEDS[deed],
        "Deed": _DEEDS[deed].capitalize(),
        "thing": _THINGS[thing],
        "Thing": _THINGS[thing].capitalize()
        + (chr(ord("A") + generation % 26) * (generation // 26 + 1) if generation else ""),
        "place": _PLACES[place].lower(),
        "Place": _PLACES[place],
        "line": str(20 + number * 7 % 400),
        "django": _DJANGO,
    }
    since = rng.choice((30, 30, 30, 14, 6, 3, 0.9))
    return Fault(
        app,
        rng.choice(_TYPES[app.slug]),
        "could not {deed} the {thing} in {Place}: {Thing} {{id}} is not usable".format_map(words),
        _STACKS[app.slug].format_map(words),
        weight=rng.paretovariate(1.1),
        level=rng.choices(("error", "warning", "fatal", "info"), (70, 18, 7, 5))[0],
        route=f"/{words['place']}/{words['thing']}" if app in (SHOP, API) else "",
        screen=words["Place"] if app.updates_slowly else "",
        shape=rng.choice((FaultShape.STEADY, FaultShape.STEADY, FaultShape.FADING, FaultShape.RISING)),
        since_days_ago=since,
        metadata={"region": rng.choice(("eu-central-1", "eu-west-1", "us-east-1"))},
    )
