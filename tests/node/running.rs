//! A running node: what hosts see, what it keeps up with, how it ends.
