-- Bid of the perpetual over what its coins cost on the spot market, less one.
ALTER TABLE rate_snapshots ADD COLUMN tradable_basis TEXT;
