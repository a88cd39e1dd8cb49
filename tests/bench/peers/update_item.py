"""The careful way: every row is an update of its own, so that what others have stored with a user stays."""

from people import FIELDS, key, rows, table, values

EXPRESSION = "SET " + ", ".join(f"{field} = :{field}" for field in FIELDS)

for row in rows():
    user = values(row)
    table.update_item(
        Key=key(user),
        UpdateExpression=EXPRESSION,
        ExpressionAttributeValues={f":{field}": value for field, value in user.items()},
    )
