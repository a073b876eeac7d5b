-- What the shop sells. Prices are in cents of the one currency; another currency has to say how many minor units it
-- has, so it takes a migration.
CREATE TABLE products (
    id          text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(id) <= 64),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    description text NOT NULL CHECK (length(description) BETWEEN 1 AND 2000),
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    currency    text NOT NULL DEFAULT 'EUR' CHECK (currency = 'EUR'),
    category    text COLLATE "C" NOT NULL CHECK (category ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(category) <= 64),
    picture     text NOT NULL CHECK (length(picture) BETWEEN 1 AND 200),
    tags        text[] NOT NULL DEFAULT '{}'
);

CREATE INDEX products_by_category ON products (category, id);
