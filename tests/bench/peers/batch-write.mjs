// The AWS sample way: every row is put, 25 at a time, whatever was there before.

import { BatchWriteCommand } from "@aws-sdk/lib-dynamodb";
import { key, rows, sendAll, table, values } from "./people.mjs";

const batch = (puts) => new BatchWriteCommand({ RequestItems: { [table]: puts } });

async function* batches() {
  let puts = [];
  for await (const row of await rows()) {
    const user = values(row);
    puts.push({ PutRequest: { Item: { ...key(user), ...user } } });
    if (puts.length === 25) {
      yield batch(puts);
      puts = [];
    }
  }
  if (puts.length > 0) yield batch(puts);
}

await sendAll(batches());
