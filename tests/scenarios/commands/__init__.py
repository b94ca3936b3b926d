"""What operators order: closes and accepted absences, until their outcome is said."""
