-- Orders, their lines and every state they had; and which request was answered with which of them.

CREATE TABLE orders (
  id uuid PRIMARY KEY,
  customer_id text NOT NULL,
  create_time timestamptz NOT NULL
);

-- Lists are read newest first, of everyone or of one customer.
CREATE INDEX orders_newest ON orders (create_time DESC, id DESC);
CREATE INDEX orders_newest_of_customer ON orders (customer_id, create_time DESC, id DESC);

CREATE TABLE order_lines (
  order_id uuid NOT NULL REFERENCES orders,
  position smallint NOT NULL,
  product_id text NOT NULL,
  product_name text NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  currency char(3) NOT NULL,
  unit_price_units bigint NOT NULL CHECK (unit_price_units >= 0),
  unit_price_nanos integer NOT NULL CHECK (unit_price_nanos BETWEEN 0 AND 999999999),
  PRIMARY KEY (order_id, position)
);

-- The state of an order is that of its newest change; it is kept nowhere else.
CREATE TABLE order_state_changes (
  order_id uuid NOT NULL REFERENCES orders,
  sequence integer NOT NULL CHECK (sequence > 0),
  state smallint NOT NULL,
  time timestamptz NOT NULL,
  PRIMARY KEY (order_id, sequence)
);

-- A request was answered with the order as it stood after the change of that sequence.
CREATE TABLE requests (
  id uuid PRIMARY KEY,
  fingerprint bytea NOT NULL,
  order_id uuid NOT NULL REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
  sequence integer NOT NULL
);
