"""The story of a small company on Xero, on the local cloud: it signs up, allows us to look, sees who can be imported and
who cannot and why, imports them with their courses, and has its connection given back; then somebody's address is
added in Xero, and it does so once more.

Started by cloud.py, with the Python that has boto3. What happens, happens through the API with the administrator's
token and through a browser; Xero is the fake one. Only the administrator's password is set past the mail that they
would get it by.
"""

import http.cookiejar
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from cloud import STACK, Failure
from demo import WAIT_SECONDS, Api, client, heading, show_counts, show_problems, show_report
from deploy import new_password

# In the order of their ids: of two who have the same address, the first one is imported.
EMPLOYEES = [
    {"id": f"00000000-0000-4000-8000-{number:012}", "first_name": first, "last_name": last, "email": email}
    for number, (first, last, email) in enumerate([
        ("Amelia", "Nguyen", "amelia@harbour-cafe.example"),
        ("Björn", "O'Brien", "bjorn@harbour-cafe.example"),
        ("Chloe", "Papadopoulos", "chloe@harbour-cafe.example"),
        ("Dev", "Sharma", ""),
        ("Ella", "Wilson", "ella at harbour-cafe.example"),
        # Amelia's, in other letters.
        ("Finn", "Nguyen", "Amelia@Harbour-Cafe.example"),
    ])
]  # fmt: skip
# Without an address, when Xero is first looked at, and with one when it is looked at again.
LATER, LATER_EMAIL = 3, "dev@harbour-cafe.example"


def main() -> int:
    try:
        tell(json.loads(STACK.read_text()))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    return 0


def tell(stack: dict) -> None:
    xero = Xero(stack["xero"]["url"])
    # Of this run alone: an account is one person's, and a portal one company's.
    owner = f"olive.{uuid.uuid4().hex[:8]}@harbour-cafe.example"
    user = xero.say("POST", "/fake/users", {"email": owner, "first_name": "Olive", "last_name": "Harper"})["user_id"]
    organisation = {"name": "Harbour Café", "country": "AU", "owner": user, "employees": EMPLOYEES}
    tenant = xero.say("POST", "/fake/organisations", organisation)["tenant_id"]

    heading("Olive Harper of Harbour Café signs up, with Xero")
    browser = Browser()
    signup = browser.open("POST", f"{stack['outputs']['ApiUrl']}/xero/signup", {})
    back = allow(browser, xero, signup["authorise_url"], user, tenant)
    portal = portal_of(back)
    print(f"  She is sent to {back}")
    api = Api(stack | {"portal_id": portal, "tokens": {"administrator": sign_in(stack, owner)}})
    print(f"  Portal {portal} is hers, and she has signed in to it as its administrator.")
    show_overview(api.call("GET", "/xero", "administrator"))

    choose(api, tenant)
    preview = show_preview(api)
    expected = {person["email"] for person in EMPLOYEES[:LATER]}
    if addresses(preview["to_import"]) != expected:
        raise Failure(f"these should have been offered, and nobody else: {', '.join(sorted(expected))}")

    import_everybody(api, created=len(expected))
    show_users(api, expected)
    wait_until_given_back(api, xero, user)

    heading(f"In Xero, {EMPLOYEES[LATER]['first_name']} is given an address; Olive connects and imports once more")
    staff = [dict(person) for person in EMPLOYEES]
    staff[LATER]["email"] = LATER_EMAIL
    xero.say("PUT", f"/fake/organisations/{tenant}/employees", {"employees": staff})
    request = f"{stack['outputs']['ApiUrl']}/portals/{portal}/xero/connection"
    connection = browser.open("POST", request, None, api.tokens["administrator"])
    allow(browser, xero, connection["authorise_url"], user, tenant)
    choose(api, tenant)
    preview = show_preview(api)
    if addresses(preview["to_import"]) != {LATER_EMAIL}:
        raise Failure(f"{LATER_EMAIL} alone should have been offered")
    import_everybody(api, created=1)
    show_users(api, expected | {LATER_EMAIL})
    wait_until_given_back(api, xero, user)
    show_overview(api.call("GET", "/xero", "administrator"))
    print("\nThat was the whole story. `make up` starts a local cloud that stays; `make demo-xero` then leaves this portal in it.")


def allow(browser: "Browser", xero: "Xero", authorise_url: str, user: str, tenant: str) -> str:
    """Signs in at Xero, chooses the organisation, allows, and comes back. Where the browser is sent in the end."""
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(authorise_url).query)
    print(f"  Xero asks her whether Go1 may have: {asked['scope'][0]}")
    callback = xero.allow(authorise_url, user, tenant)
    print("  She chooses Harbour Café and allows it.")
    return browser.follow(callback)


def portal_of(url: str) -> str:
    """The portal's number, which stands behind the name of the page's host."""
    number = re.search(r"\d+", urllib.parse.urlsplit(url)._replace(scheme="", netloc="").geturl())
    if number is None:
        raise Failure(f"the browser was sent to {url}, which names no portal")
    return number.group()


def sign_in(stack: dict, email: str) -> str:
    """The ID token of an account that is there. Its owner would choose the password by the mail that they got."""
    cognito = client(stack, "cognito-idp")
    pool, password = stack["outputs"]["UserPoolId"], new_password()
    try:
        cognito.admin_set_user_password(UserPoolId=pool, Username=email, Password=password, Permanent=True)
    except cognito.exceptions.UserNotFoundException:
        raise Failure(f"signing up has made no account for {email}") from None
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=stack["outputs"]["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )
    return signed_in["AuthenticationResult"]["IdToken"]


def show_overview(overview: dict) -> None:
    organisation = overview.get("organisation") or {}
    print(f"\n  State: {overview['state']}; organisation: {organisation.get('name', 'none')}; "
          f"imported so far: {overview['imported']}; places left: {overview['places_left']}. Courses:")  # fmt: skip
    for course in overview["courses"]:
        print(f"    {course['learning_id']}  {course['title']}")


def choose(api: Api, tenant: str) -> None:
    organisations = api.call("GET", "/xero/organisations", "administrator")["items"]
    print("\n  Organisations: " + ", ".join(f"{organisation['name']} ({organisation['tenant_id']})" for organisation in organisations))
    api.call("PUT", "/xero/organisation", "administrator", {"tenant_id": tenant})


def show_preview(api: Api) -> dict:
    """Who can be imported and who cannot. What somebody has to correct in Xero stands out."""
    preview = api.call("GET", "/xero/preview", "administrator")
    print(f"\n  Whom Xero has, by {preview['source'].replace('_', ' ')}; {preview['places_left']} places are left:")
    for kind, title in [("to_import", "to import"), ("already_users", "users already"), ("outside_places", "no place left")]:
        for person in preview[kind]:
            print(f"    {title:<16} {name_of(person):<22} {person['email']}")
    for person in preview["cannot_import"]:
        for problem in person["problems"]:
            print("    " + highlighted(f"{'cannot import':<14} {name_of(person):<22} [{problem['code']}] {problem['message']}"))
    return preview


def name_of(person: dict) -> str:
    return f"{person['first_name']} {person['last_name']}"


def addresses(people: list[dict]) -> set[str]:
    return {person["email"] for person in people}


def highlighted(text: str) -> str:
    return f"\x1b[1;33m{text}\x1b[0m" if sys.stdout.isatty() else f"! {text}"


def import_everybody(api: Api, created: int) -> None:
    heading("She imports everybody who can be imported, with the courses")
    upload = api.call("POST", "/xero/import", "administrator", {"assign_courses": True})
    deadline = time.monotonic() + WAIT_SECONDS
    while not upload.get("finished_at"):
        if time.monotonic() > deadline:
            raise Failure(f"the import has not ended within {WAIT_SECONDS} seconds; see target/local/cloud.log")
        time.sleep(0.1)
        upload = api.call("GET", f"/uploads/{upload['upload_id']}", "administrator")
    print(f"  {upload['status']}")
    show_counts(upload)
    show_problems(upload)
    show_report(api, upload)
    if upload["rows"]["created"] != created:
        raise Failure(f"{created} should have been created")


def show_users(api: Api, imported: set[str]) -> None:
    users = api.call("GET", "/users", "administrator")["items"]
    print(f"\n  The portal's {len(users)} users:")
    for user in users:
        print(f"    {name_of(user):<22} {user['email']}")
    if not imported <= addresses(users):
        raise Failure(f"these are missing: {', '.join(sorted(imported - addresses(users)))}")


def wait_until_given_back(api: Api, xero: "Xero", user: str) -> None:
    """Asks Xero, not us."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        left = xero.say("GET", f"/fake/state?user_id={user}")
        if not left["connections"] and not left["refresh_tokens"]:
            break
        if time.monotonic() > deadline:
            raise Failure(f"the connection was not given back within {WAIT_SECONDS} seconds; see target/local/cloud.log")
        time.sleep(0.1)
    state = api.call("GET", "/xero", "administrator")["state"]
    print(f"\n  Xero says that Go1 has no connection and no token of hers any more. The portal's state: {state}.")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Where to go is an answer here."""

    def redirect_request(self, *_: object) -> None:
        return None


class Browser:
    """Olive's: it keeps cookies, and says where it is sent."""

    def __init__(self):
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(NoRedirect, cookies)

    def open(self, method: str, url: str, body: object = None, token: str | None = None) -> dict:
        request = urllib.request.Request(url, method=method)
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        try:
            with self.opener.open(request, data) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            raise Failure(f"{method} {url} was answered {refusal.code}: {refusal.read().decode()}") from None

    def follow(self, url: str) -> str:
        """Goes there. Where it is sent from there, and does not go."""
        return sent_to(self.opener, urllib.request.Request(url))


class Xero:
    """The fake one: what is said to it, and the page where somebody allows or does not."""

    def __init__(self, url: str):
        self.url = url
        self.browser = Browser()

    def say(self, method: str, path: str, body: object = None) -> dict:
        return self.browser.open(method, self.url + path, body)

    def allow(self, authorise_url: str, user: str, tenant: str) -> str:
        page = urllib.parse.urlsplit(authorise_url)
        form = urllib.parse.parse_qsl(page.query)
        form += [("decision", "allow"), ("user_id", user), ("organisation", tenant)]
        action = page._replace(query="").geturl()
        return sent_to(self.browser.opener, urllib.request.Request(action, urllib.parse.urlencode(form).encode()))


def sent_to(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> str:
    """The address that the answer redirects to."""
    try:
        with opener.open(request) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        if 300 <= answer.code < 400 and "Location" in answer.headers:
            return answer.headers["Location"]
        status, text = answer.code, answer.read().decode()
    # Without the query, in which codes stand.
    url = request.full_url.partition("?")[0]
    raise Failure(f"{url} was answered {status}, and not with where to go next: {text[:400]}")


if __name__ == "__main__":
    sys.exit(main())
