"""The AWS sample way: every row is put, 25 at a time, whatever was there before."""

from people import key, rows, table, values

with table.batch_writer() as batch:
    for row in rows():
        user = values(row)
        batch.put_item(Item=key(user) | user)
