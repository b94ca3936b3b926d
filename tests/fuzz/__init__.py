"""What comes from outside, damaged at random: only typed refusals, no crash, no hang."""
