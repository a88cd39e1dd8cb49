"""Builds the functions, deploys the stack to the running local cloud and makes two accounts to sign in with.

Started by cloud.py, with the Python that has boto3 and SAM:
`deploy.py <endpoint> <where the fake Xero is> <start of the clock>`.
What it leaves for others is target/local/stack.json.
"""

import json
import os
import secrets
import string
import subprocess
import sys
from pathlib import Path

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse

from cloud import FUNCTIONS_ENV, LOCAL, REGION, ROOT, STACK, STACK_NAME, Failure, run, say

ARTIFACTS_BUCKET = "local-deployment"
BINARIES = ROOT / "target" / "lambda"
TEMPLATE = LOCAL / "template.yaml"
DEPLOY_LOG = LOCAL / "deploy.log"
PARAMETERS = {
    "Stage": "local",
    # The local cloud speaks plain HTTP.
    "RequireTls": "false",
    "TokenHours": "24",
    "SweepRate": "1 minute",
    "NotifyFrom": "feed@go1.example",
}

# On AWS the address of an API is known once it is there. Here it is known before: Xero is told where to send
# browsers back to by a parameter of the stack.
API_ID = "feed"
# What the fake Xero knows of our app (tests/fake-xero/src/lib.rs).
XERO_CLIENT_ID, XERO_CLIENT_SECRET = "fake-client", "fake-secret"
XERO_SECRET_ID = "local/xero"
XERO_SCOPES = "openid profile email offline_access accounting.settings.read payroll.employees.read"
# Those that whoever is imported from Xero is assigned.
XERO_COURSES = [
    {"learning_id": 9001, "title": "Workplace health and safety"},
    {"learning_id": 9002, "title": "Preventing bullying and harassment"},
    {"learning_id": 9003, "title": "Privacy at work"},
    {"learning_id": 9004, "title": "Recognising phishing"},
    {"learning_id": 9005, "title": "Manual handling"},
]

# Where `npm run dev` serves the page (functions/serve-portal/page/vite.config.ts).
PAGE_IN_WORK = "http://localhost:5173/portal"

PORTAL_ID = "1001"
# Group, and at the same time the name of the token: its address and its other attributes.
ACCOUNTS = {
    "operator": {"email": "operator@go1.example"},
    "administrator": {"email": "administrator@customer.example", "custom:portal_id": PORTAL_ID},
}


def main() -> int:
    endpoint, xero, since = sys.argv[1], sys.argv[2], float(sys.argv[3])
    try:
        say("Building the functions", since)
        build()
        say("Deploying the stack", since)
        keep_xero_secret()
        deploy(PARAMETERS | {"PortalUrl": portal_url(endpoint)} | xero_parameters(endpoint, xero), endpoint)
        verify_sender()
        outputs = read_outputs(endpoint)
        say("Making the accounts", since)
        tokens, passwords = make_accounts(outputs["UserPoolId"], outputs["UserPoolClientId"])
        write_stack(endpoint, xero, outputs, tokens, passwords)
        write_environment(endpoint, xero, outputs)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    say(f"Ready: {STACK.relative_to(ROOT)} says where everything is", since)
    return 0


def build() -> None:
    # With the machine's own compiler, for the machine itself: cross-compiling would need zig.
    run(["cargo", "lambda", "build", "--locked", "--compiler", "cargo", "--lambda-dir", BINARIES])


def keep_xero_secret() -> None:
    """On AWS it is there before the stack, too: whoever registers the app at Xero puts it there."""
    vault = boto3.client("secretsmanager")
    try:
        vault.create_secret(Name=XERO_SECRET_ID, SecretString=XERO_CLIENT_SECRET)
    except vault.exceptions.ResourceExistsException:
        pass


def xero_parameters(endpoint: str, xero: str) -> dict[str, str]:
    """Parameters of the template; one that it does not have is left out by SAM."""
    return {
        "XeroClientId": XERO_CLIENT_ID,
        "XeroSecretId": XERO_SECRET_ID,
        "XeroRedirectUri": f"{api_url(endpoint)}/xero/callback",
        "XeroLoginUrl": xero,
        "XeroIdentityUrl": xero,
        "XeroApiUrl": xero,
        "XeroCourses": json.dumps(XERO_COURSES),
    }


def api_url(endpoint: str) -> str:
    # http://<api>.execute-api.127.0.0.1:<port> is no name that resolves; the cloud has a path for it.
    return f"{endpoint}/_aws/execute-api/{API_ID}/$default"


def portal_url(endpoint: str) -> str:
    return f"{api_url(endpoint)}/portal"


def deploy(parameters: dict[str, str], endpoint: str) -> None:
    template = with_built_binaries((ROOT / "template.yaml").read_text())
    say_where_the_cloud_is(template, endpoint)
    TEMPLATE.write_text(yaml_dump(template))
    boto3.client("s3").create_bucket(Bucket=ARTIFACTS_BUCKET)
    command = [
        "sam", "deploy",
        "--template-file", TEMPLATE,
        "--stack-name", STACK_NAME,
        "--s3-bucket", ARTIFACTS_BUCKET,
        "--capabilities", "CAPABILITY_IAM",
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        # A stack that failed at birth could not be deployed over.
        "--on-failure", "DELETE",
        # SAM takes them apart as a shell would: in quotation marks, those inside behind backslashes.
        "--parameter-overrides", *(f"{name}={json.dumps(value)}" for name, value in parameters.items()),
    ]  # fmt: skip
    # SAM keeps notes about itself, in the home directory unless told otherwise.
    environment = os.environ | {"__SAM_CLI_APP_DIR": str(LOCAL / "sam"), "TMPDIR": str(LOCAL / "tmp")}
    with DEPLOY_LOG.open("wb") as log:
        outcome = subprocess.run(command, cwd=LOCAL, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if outcome.returncode != 0:
        print(DEPLOY_LOG.read_text()[-4000:], file=sys.stderr)
        raise Failure(f"sam deploy failed; all it said is in {DEPLOY_LOG.relative_to(ROOT)}")


def with_built_binaries(text: str) -> dict:
    """The template with each function's code where the build has put it: nothing is left for `sam build` to do."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            binary = resource.pop("Metadata")["BuildProperties"]["Binary"]
            resource["Properties"]["CodeUri"] = str(BINARIES / binary)
            allow_partiql(resource["Properties"]["Policies"])
            allow_users(resource["Properties"]["Policies"])
            allow_folders(resource["Properties"]["Policies"])
        elif resource["Type"] == "AWS::IAM::Policy":
            allow_mails(resource["Properties"]["PolicyDocument"])
        elif resource["Type"] == "AWS::ApiGatewayV2::Api":
            resource["Properties"].setdefault("Tags", {})["ms-custom-id"] = API_ID
    return template


def say_where_the_cloud_is(template: dict, endpoint: str) -> None:
    """On AWS the user pool's pages and the bucket have names of their own; here they are where everything is."""
    variables = template["Resources"]["ServePortalFunction"]["Properties"]["Environment"]["Variables"]
    variables |= {"SIGN_IN_URL": endpoint, "UPLOADS_URL": endpoint}
    client = template["Resources"]["UserPoolClient"]["Properties"]
    for addresses in (client["CallbackURLs"], client["LogoutURLs"]):
        addresses.append(PAGE_IN_WORK)


def allow_partiql(policies: list[dict]) -> None:
    """AWS authorises what each statement of a PartiQL batch does; the local cloud only the call, on anything."""
    for policy in policies:
        if any("dynamodb:PartiQL" in str(statement["Action"]) for statement in policy["Statement"]):
            policy["Statement"].append(
                {"Effect": "Allow", "Action": "dynamodb:BatchExecuteStatement", "Resource": "*"}
            )


def allow_folders(policies: list[dict]) -> None:
    """AWS names an object by its whole key; the local cloud without a slash at its end."""
    for policy in policies:
        for statement in policy["Statement"]:
            if statement.get("Sid") == "MakeFolder":
                statement["Resource"] = {"Fn::Sub": "${FeedBucket.Arn}/*"}


def allow_users(policies: list[dict]) -> None:
    """AWS names a user with its path, and knows the boundary that it is made with; the local cloud neither."""
    for policy in policies:
        actions = [
            action
            for statement in policy["Statement"]
            for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
            if action.startswith("iam:")
        ]
        if actions:
            users = f"arn:aws:iam::*:user/user-feed-{PARAMETERS['Stage']}-*"
            policy["Statement"].append({"Effect": "Allow", "Action": actions, "Resource": users})
            # It asks about a key, of which the local cloud does not know whose it is.
            policy["Statement"].append({"Effect": "Allow", "Action": "iam:GetAccessKeyLastUsed", "Resource": "*"})


def allow_mails(policy: dict) -> None:
    """AWS authorises the identity that a mail is from, and knows its address; the local cloud only the call."""
    if any(statement["Action"] == "ses:SendEmail" for statement in policy["Statement"]):
        policy["Statement"].append({"Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*"})


def verify_sender() -> None:
    """On AWS its owner confirms it; here it is enough to say so."""
    mails = boto3.client("sesv2")
    try:
        mails.create_email_identity(EmailIdentity=PARAMETERS["NotifyFrom"])
    except mails.exceptions.AlreadyExistsException:
        pass


def read_outputs(endpoint: str) -> dict[str, str]:
    stack = boto3.client("cloudformation").describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    if not outputs["ApiUrl"].startswith(f"http://{API_ID}."):
        raise Failure("the running cloud has an API of another name from an earlier time: `make down`, then `make up`")
    outputs["ApiUrl"] = api_url(endpoint)
    return outputs


def make_accounts(
    pool: str, client: str, accounts: dict[str, dict[str, str]] = ACCOUNTS
) -> tuple[dict[str, str], dict[str, str]]:
    """An ID token and a password for each account. The accounts may be there already; the passwords are new each time."""
    cognito = boto3.client("cognito-idp")
    tokens, passwords = {}, {}
    for group, attributes in accounts.items():
        email, password = attributes["email"], new_password()
        user = {"UserPoolId": pool, "Username": email}
        wanted = [{"Name": name, "Value": value} for name, value in attributes.items()]
        wanted.append({"Name": "email_verified", "Value": "true"})
        try:
            cognito.admin_create_user(**user, UserAttributes=wanted, MessageAction="SUPPRESS")
        except cognito.exceptions.UsernameExistsException:
            cognito.admin_update_user_attributes(**user, UserAttributes=wanted)
        cognito.admin_set_user_password(**user, Password=password, Permanent=True)
        cognito.admin_add_user_to_group(**user, GroupName=group)
        signed_in = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        tokens[group] = signed_in["AuthenticationResult"]["IdToken"]
        passwords[group] = password
    return tokens, passwords


def new_password() -> str:
    # One of each kind, as the pool demands, and plenty of chance.
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#%+-.:=?@^_~")
    return "".join(secrets.choice(kind) for kind in kinds) + secrets.token_urlsafe(24)


def write_stack(
    endpoint: str, xero: str, outputs: dict[str, str], tokens: dict[str, str], passwords: dict[str, str]
) -> None:
    stack = {
        "endpoint": endpoint,
        "region": REGION,
        "account": boto3.client("sts").get_caller_identity()["Account"],
        "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
        "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        "outputs": outputs,
        "tokens": tokens,
        "accounts": {
            group: {"email": ACCOUNTS[group]["email"], "password": password} for group, password in passwords.items()
        },
        "portal_id": PORTAL_ID,
        "xero": {"url": xero},
    }
    write(STACK, json.dumps(stack, indent=2))


def write_environment(endpoint: str, xero: str, outputs: dict[str, str]) -> None:
    """What `cargo lambda watch` gives the functions: what the template would, and where the local cloud is."""
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": os.environ["AWS_ACCESS_KEY_ID"],
        "AWS_SECRET_ACCESS_KEY": os.environ["AWS_SECRET_ACCESS_KEY"],
        "FEED_BUCKET": outputs["FeedBucketName"],
        "REPORTS_BUCKET": outputs["ReportsBucketName"],
        "USERS_TABLE": outputs["UsersTableName"],
        "FEED_TABLE": outputs["FeedTableName"],
        "MAX_FILE_BYTES": "2147483648",
        "PROCESS_UPLOAD_FUNCTION": outputs["ProcessUploadFunctionName"],
        "FEED_BUCKET_ARN": f"arn:aws:s3:::{outputs['FeedBucketName']}",
        "PERMISSIONS_BOUNDARY": outputs["CustomerBoundaryArn"],
        "STAGE": PARAMETERS["Stage"],
        "TOKEN_HOURS": PARAMETERS["TokenHours"],
        "NOTIFY_FROM": PARAMETERS["NotifyFrom"],
        "PORTAL_URL": portal_url(endpoint),
        "ISSUER": f"https://cognito-idp.{REGION}.amazonaws.com/{outputs['UserPoolId']}",
        "SIGN_IN_URL": endpoint,
        "CLIENT_ID": outputs["UserPoolClientId"],
        "UPLOADS_URL": endpoint,
        "ERASE_DATA_FUNCTION": outputs["EraseDataFunctionName"],
        "USER_POOL_ID": outputs["UserPoolId"],
        "XERO_CLIENT_ID": XERO_CLIENT_ID,
        "XERO_SECRET_ID": XERO_SECRET_ID,
        "XERO_REDIRECT_URI": f"{api_url(endpoint)}/xero/callback",
        "XERO_LOGIN_URL": xero,
        "XERO_IDENTITY_URL": xero,
        "XERO_API_URL": xero,
        "XERO_SCOPES": XERO_SCOPES,
        "XERO_PKCE": "true",
        "XERO_COURSES": json.dumps(XERO_COURSES),
        "TOKENS_KEY": outputs["XeroTokensKeyArn"],
    }
    write(FUNCTIONS_ENV, "".join(f"{name}='{value}'\n" for name, value in environment.items()))


def write(path: Path, text: str) -> None:
    # It appears complete, and its owner's only.
    draft = path.with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
