"""What leaves a station: the report of a signed slide in the forms that people and systems read, and labelled cells."""
