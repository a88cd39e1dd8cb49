// The running local cloud, as the tests use it beside the page: portals and accounts of their own, and the fake Xero.

import { AwsClient } from "aws4fetch";
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

const STACK = new URL("../../../../target/local/stack.json", import.meta.url);

export const stack = JSON.parse(readFileSync(STACK, "utf8"));
export const PAGE = stack.outputs.PortalUrl;

const aws = new AwsClient({
  accessKeyId: stack.access_key_id,
  secretAccessKey: stack.secret_access_key,
  region: stack.region,
  service: "cognito-idp",
});

async function answered(answer) {
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${answer.url}: ${text}`);
  return text ? JSON.parse(text) : null;
}

/** A call of the API, by an operator. */
export async function api(method, path, body) {
  const headers = { authorization: `Bearer ${stack.tokens.operator}`, "content-type": "application/json" };
  const answer = await fetch(stack.outputs.ApiUrl + path, { method, headers, body: body && JSON.stringify(body) });
  return answered(answer);
}

function pool(action, body) {
  const headers = {
    "content-type": "application/x-amz-json-1.1",
    "x-amz-target": `AWSCognitoIdentityProviderService.${action}`,
  };
  const whole = JSON.stringify({ UserPoolId: stack.outputs.UserPoolId, ...body });
  return aws.fetch(stack.endpoint, { method: "POST", headers, body: whole }).then(answered);
}

/** An account of the user pool, whose owner has chosen a password. */
async function account(email, group, attributes) {
  const password = `Aa1!${randomInt(2 ** 40).toString(36)}`;
  const named = Object.entries({ email, email_verified: "true", ...attributes });
  const UserAttributes = named.map(([Name, Value]) => ({ Name, Value }));
  await pool("AdminCreateUser", { Username: email, UserAttributes, MessageAction: "SUPPRESS" });
  await pool("AdminSetUserPassword", { Username: email, Password: password, Permanent: true });
  await pool("AdminAddUserToGroup", { Username: email, GroupName: group });
  return { email, password };
}

export const operator = () => account(`staff.${randomInt(1e9)}@go1.example`, "operator", {});

/** A portal of this test alone, and its administrator. */
export async function portal(changes = {}) {
  const id = String(randomInt(2 ** 37, 2 ** 38));
  const about = {
    name: "Northwind Traders",
    country: "AU",
    external_id_enabled: false,
    custom_fields: [
      { name: "job_title", label: "Job title" },
      { name: "manager_email", label: "Manager email" },
    ],
    groups: [{ id: 7, name: "Sales", learning_ids: [1201] }],
    ...changes,
  };
  await api("PUT", `/portals/${id}`, about);
  const administrator = await account(`harriet.${id}@northwind.example`, "administrator", { "custom:portal_id": id });
  return { id, administrator };
}

export const COLUMNS = ["Email", "First name", "Last name"];

/** A portal whose feed is set up; people who are missing from a file are made inactive. */
export async function fedPortal() {
  const made = await portal();
  await api("PUT", `/portals/${made.id}/feed/authorisation`);
  const fields = ["email", "first_name", "last_name"].map((field, at) => ({ field, column: COLUMNS[at] }));
  await api("PUT", `/portals/${made.id}/feed/mapping`, { columns: COLUMNS, fields, auto_disable: true });
  return made;
}

const NAMES = ["Amelia", "Björn", "Chloe", "Dev", "Ella", "Finn", "Grace", "Hana", "Imran", "Jonas"];

/** A file of the people of these numbers. */
export function people(numbers, of) {
  const rows = numbers.map((at) => `${NAMES[at % 10].toLowerCase()}.${at}@${of}.example,${NAMES[at % 10]},Person${at}`);
  return [COLUMNS.join(","), ...rows, ""].join("\n").replaceAll("ö", "o");
}

const ENDS = ["completed", "completed_with_problems", "held", "rejected", "failed"];

/** Puts a file as a script would, and waits for its end. */
export async function feed(portalId, name, text, { rehearsal = false } = {}) {
  const link = await api("POST", `/portals/${portalId}/uploads`, { file_name: name, rehearsal });
  await answeredPut(await fetch(link.url, { method: link.method, body: text }));
  for (let tries = 0; tries < 300; tries++) {
    const { items } = await api("GET", `/portals/${portalId}/uploads`);
    const upload = items.find(({ key }) => key === link.key);
    if (upload && ENDS.includes(upload.status)) return upload;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error(`${name} has not come to its end`);
}

function answeredPut(answer) {
  if (!answer.ok) throw new Error(`PUT: ${answer.status}`);
}

/** Who of a portal is assigned what, as `<user id> <learning id>`. */
export async function assignments(portalId) {
  const found = [];
  for (const shard of "0123456789abcdef") {
    const headers = { "content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.Query" };
    const body = JSON.stringify({
      TableName: stack.outputs.FeedTableName,
      ConsistentRead: true,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": { S: `${portalId}#ASSIGNMENT#${shard}` } },
    });
    const asked = await aws.fetch(stack.endpoint, { method: "POST", headers, body, aws: { service: "dynamodb" } });
    const { Items } = await answered(asked);
    found.push(...Items.map(({ user_id, learning_id }) => `${user_id.S} ${learning_id.N}`));
  }
  return found.sort();
}

/** Runs something in a folder, as somebody would at a terminal; nothing of this machine's own AWS is seen. */
export function run(command, args, folder) {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("AWS_"));
  const TOOLS = new URL("../../../../target/local/venv-tools/bin", import.meta.url).pathname;
  const env = {
    ...Object.fromEntries(own),
    PATH: `${TOOLS}:${process.env.PATH}`,
    AWS_ENDPOINT_URL: stack.endpoint,
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
  };
  return promisify(execFile)(command, args, { cwd: folder, env, timeout: 120_000 });
}

/** The keys of the objects that lie under a portal's number. */
export async function objects(portalId) {
  const { FeedBucketName } = stack.outputs;
  const url = `${stack.endpoint}/${FeedBucketName}?list-type=2&prefix=${portalId}/`;
  const listed = await aws.fetch(url, { aws: { service: "s3" } });
  return [...(await listed.text()).matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key);
}

/** What is said to the fake Xero. */
export async function xero(method, path, body) {
  const headers = { "content-type": "application/json" };
  return answered(await fetch(stack.xero.url + path, { method, headers, body: body && JSON.stringify(body) }));
}
