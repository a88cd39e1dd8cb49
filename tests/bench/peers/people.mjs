// What the scripts in Node share: where the file is, and what of a row is stored. Not how: each has its own way.

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { parse } from "csv-parse";

const PORTAL = "1001";
export const FIELDS = {
  email: "Work Email",
  first_name: "First Name",
  last_name: "Last Name",
  manager: "Manager Email",
  employee_id: "Employee ID",
  job_title: "Job Title",
  department: "Department",
  location: "Location",
  hire_date: "Hire Date",
};
// As many requests under way as process-upload has.
export const IN_FLIGHT = 8;

export const table = process.env.USERS_TABLE;
export const dynamodb = DynamoDBDocumentClient.from(new DynamoDBClient());

export async function rows() {
  const s3 = new S3Client({ forcePathStyle: true });
  const object = await s3.send(
    new GetObjectCommand({ Bucket: process.env.FEED_BUCKET, Key: `${PORTAL}/people.csv` }),
  );
  return object.Body.pipe(parse({ columns: true, bom: true }));
}

export function values(row) {
  return Object.fromEntries(Object.entries(FIELDS).map(([field, column]) => [field, row[column].trim()]));
}

export function key(user) {
  return { pk: PORTAL, sk: user.email.toLowerCase() };
}

/** Sends each of what comes, as many at once as IN_FLIGHT says. */
export async function sendAll(commands) {
  const underWay = new Set();
  for await (const command of commands) {
    const sent = dynamodb.send(command).then(() => underWay.delete(sent));
    underWay.add(sent);
    if (underWay.size === IN_FLIGHT) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}
