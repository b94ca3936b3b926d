"""The vocabulary: frozen typed messages and value types that every room speaks.

Lives here: value types (legs, verdicts, orders, rows, alerts), the messages that actors send
one another, the settings' types. Does not live here: any decision, any I/O, any import of
another room of this project.

Units, unless a field says otherwise: `quantity` is in base units (contracts times contract size;
for inverse contracts that product is in quote units), prices are in quote currency, money is in
the settle currency, durations are seconds or `timedelta`, instants are aware UTC.
"""
