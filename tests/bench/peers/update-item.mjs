// The careful way: every row is an update of its own, so that what others have stored with a user stays.

import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { FIELDS, key, rows, sendAll, table, values } from "./people.mjs";

const UpdateExpression = "SET " + Object.keys(FIELDS).map((field) => `${field} = :${field}`).join(", ");

async function* updates() {
  for await (const row of await rows()) {
    const user = values(row);
    yield new UpdateCommand({
      TableName: table,
      Key: key(user),
      UpdateExpression,
      ExpressionAttributeValues: Object.fromEntries(
        Object.entries(user).map(([field, value]) => [`:${field}`, value]),
      ),
    });
  }
}

await sendAll(updates());
