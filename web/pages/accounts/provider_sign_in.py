"""Signing in through the OpenID Connect provider: there, back, and the code of the second factor if the
user has one."""

from __future__ import annotations

import hmac
import logging
import secrets

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from application.accounts.accounts import Accounts
from application.accounts.provider import Provider, ProviderAway, ProviderPerson, ProviderRefused, word
from application.accounts.sign_in import TooManyAttempts
from domain.errors import Missing
from storage.accounts import accounts, provider_visits
from storage.accounts.provider_visits import Visit
from web.http import cookies
from web.http.access import CSRF_FIELD, actor, hidden_token, needs, signed_in, token_from
from web.http.errors import Refusal, retry_after
from web.http.services import services
from web.pages.accounts.sign_in import entered, form, here, own_path

blueprint = Blueprint("provider_sign_in", __name__)

BACK = "/sign-in/provider/back"
LONGEST_CODE = 4000
UNKNOWN = (
    "The provider knows you, but Postledger does not. Ask an admin to add your e-mail address to your user."
)

log = logging.getLogger(__name__)


@blueprint.get("/sign-in/provider")
@needs("public")
def there() -> Response:
    """A link and no form: `form-action` of our policy, rightly, lets no form lead elsewhere."""
    kept, wanted = provider(), own_path(request.args.get("next"))
    if actor() == "local" or signed_in():
        return redirect(wanted, 303)
    browser, public = cookies.visit_token() or secrets.token_urlsafe(32), services().public_url
    if request.host != public.partition("//")[2].partition("/")[0]:
        return form(wanted, fault=f"To sign in this way, open {public}/sign-in.", status=400)
    now, nonce, verifier = services().clock.now(), secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    try:
        here().limit_address()
        with services().pool.transaction() as cursor:
            state = provider_visits.begin(cursor, browser, Visit(nonce, verifier, wanted, None), now)
        address = kept.address(back_to(), state=state, nonce=nonce, verifier=verifier)
    except TooManyAttempts as error:
        return form(wanted, fault=error.message, status=429, headers=retry_after(error))
    except ProviderAway as error:
        return away(wanted, error)
    response = redirect(address, 303)
    cookies.set_visit(response, browser)
    return response


@blueprint.get(BACK)
@needs("public")
def back() -> Response:
    kept, now, browser = provider(), services().clock.now(), cookies.visit_token()
    with services().pool.transaction() as cursor:
        state = request.args.get("state", "")[:100]
        visit = provider_visits.take(cursor, state, browser, now) if browser else None
    if visit is None or browser is None or visit.user is not None:
        return refused("/", "This sign-in has expired, or was started in another browser. Start again.")
    if request.args.get("iss", kept.issuer) != kept.issuer:
        return refused(visit.wanted, "This answer is from another provider. Start again.")
    code = request.args.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        why = word(request.args.get("error"))
        return refused(visit.wanted, f"The provider did not sign you in ({why}).")
    try:
        person = kept.person(code, back_to(), nonce=visit.nonce, verifier=visit.verifier, now=now)
    except ProviderAway as error:
        return away(visit.wanted, error)
    except ProviderRefused as error:
        log.warning("sign-in through the provider from %s failed: %s", request.remote_addr, error)
        return refused(visit.wanted, "The provider did not prove who you are. Start again.")
    return known(kept, person, visit.wanted, browser)


def known(kept: Provider, person: ProviderPerson, wanted: str, browser: str) -> Response:
    """Nobody is added here: who may sign in, and as what, is for an admin to say."""
    user = Accounts(services()).user_at_provider(kept.issuer, person.subject, person.email)
    if user is None or user.disabled:
        who = user.name if user else "nobody"
        log.warning("sign-in through the provider as %s from %s failed", who, request.remote_addr)
        if user is None and person.email is None:
            return refused(wanted, "The provider has not verified your e-mail address.")
        return refused(wanted, UNKNOWN)
    if not user.has_second_factor:
        return entered(user, wanted)
    with services().pool.transaction() as cursor:
        pending = Visit("", "", wanted, user.number)
        token = provider_visits.begin(cursor, browser, pending, services().clock.now())
    return code_form(token, browser)


@blueprint.post("/sign-in/provider/code")
@needs("public")
def code() -> Response:
    """The second factor of those who have one here, whatever the provider asked for."""
    provider()
    now, browser = services().clock.now(), cookies.visit_token() or ""
    token = request.form.get("pending", "")[:100]
    given = request.form.get(CSRF_FIELD, "").encode()
    with services().pool.transaction() as cursor:
        visit = provider_visits.find(cursor, token, browser, now)
        user = accounts.user(cursor, visit.user) if visit is not None and visit.user is not None else None
    is_own = hmac.compare_digest(given, token_from(browser.encode()).encode())
    if visit is None or user is None or user.disabled or not is_own:
        return refused("/", "This sign-in has expired. Start again.")
    try:
        is_right = here().has_code(user, request.form.get("code", "")[:20])
    except TooManyAttempts as error:
        return code_form(token, browser, error.message, 429, retry_after(error))
    if not is_right:
        return code_form(token, browser, "This code is not valid now.", 403)
    with services().pool.transaction() as cursor:
        if provider_visits.take(cursor, token, browser, now) is None:
            raise Missing("this sign-in is over")
    return entered(user, visit.wanted)


def code_form(
    token: str, browser: str, fault: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    page = render_template(
        "accounts/provider_code.html",
        pending=token,
        token=hidden_token(token_from(browser.encode())),
        fault=fault,
        values={},
        errors={},
    )
    return make_response(page, status, headers or {})


def provider() -> Provider:
    found = services().provider
    if found is None:
        raise Refusal(404, "There is no such page.")
    return found


def back_to() -> str:
    return f"{services().public_url}{BACK}"


def refused(wanted: str, fault: str) -> Response:
    return form(wanted, fault=fault, status=403)


def away(wanted: str, error: ProviderAway) -> Response:
    log.error("the sign-in provider cannot be used: %s", error)
    return form(wanted, fault="The sign-in provider does not respond correctly. Try again soon.", status=503)
