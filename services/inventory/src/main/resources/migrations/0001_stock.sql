-- What there is of each product, and who has some of it put aside. available + reserved + committed is all that ever came in.

CREATE TABLE stock (
  product_id text PRIMARY KEY,
  available integer NOT NULL CHECK (available >= 0),
  reserved integer NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  committed bigint NOT NULL DEFAULT 0 CHECK (committed >= 0)
);

-- A request to reserve is answered once: its id is unique, and a fingerprint tells another content that took it.
CREATE TABLE reservations (
  id uuid PRIMARY KEY,
  request_id uuid NOT NULL UNIQUE,
  fingerprint bytea NOT NULL,
  state smallint NOT NULL,
  expire_time timestamptz NOT NULL
);

-- Those that are held, for the ones that are due. 1 is HELD.
CREATE INDEX reservations_held ON reservations (expire_time) WHERE state = 1;

CREATE TABLE reservation_items (
  reservation_id uuid NOT NULL REFERENCES reservations,
  position smallint NOT NULL,
  product_id text NOT NULL REFERENCES stock,
  quantity integer NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (reservation_id, position)
);
