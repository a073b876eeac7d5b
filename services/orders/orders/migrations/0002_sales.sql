-- Where an order is delivered and what it is taxed, and whether the pieces that were put aside for it have been taken.

ALTER TABLE orders
  ADD COLUMN country text NOT NULL DEFAULT '',
  ADD COLUMN subdivision text NOT NULL DEFAULT '',
  ADD COLUMN reservation_id uuid,
  ADD COLUMN settled boolean NOT NULL DEFAULT true;

-- Mostly none.
CREATE INDEX orders_unsettled ON orders (create_time) WHERE NOT settled;

-- The amount is in the line's currency. Lines of orders that nobody asked taxes for have no rate.
ALTER TABLE order_lines
  ADD COLUMN tax_percent text,
  ADD COLUMN tax_units bigint NOT NULL DEFAULT 0,
  ADD COLUMN tax_nanos integer NOT NULL DEFAULT 0;
