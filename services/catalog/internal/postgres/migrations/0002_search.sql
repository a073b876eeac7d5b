-- Search. Products and queries go through the same function, so the two always agree on what a word is. The index is a
-- generated column: a product that is changed with SQL is found by its new words at once.

-- Letters and digits in small case without accents, as words with one blank between them.
CREATE FUNCTION searchable(content text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    -- The collation is named so that the result does not hang on the locale that the database was made with. What stands
    -- in translate() and replace() are letters that Unicode does not take for an accented one.
    RETURN btrim(regexp_replace(
        replace(replace(replace(
            translate(
                lower(regexp_replace(normalize(content, NFKD), '[\u0300-\u036f]', '', 'g') COLLATE "pg_c_utf8"),
                'øđłħı', 'odlhi'),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe') COLLATE "pg_c_utf8",
        '[^[:alnum:]]+', ' ', 'g'));

-- The words of a product, weighted: A the name, B category and tags, C the description.
CREATE FUNCTION search_vector(name text, description text, category text, tags text[]) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN setweight(to_tsvector('simple', searchable(name)), 'A')
        || setweight(to_tsvector('simple', searchable(category || ' ' || array_to_string(tags, ' '))), 'B')
        || setweight(to_tsvector('simple', searchable(description)), 'C');

ALTER TABLE products
    ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS (search_vector(name, description, category, tags)) STORED;

CREATE INDEX products_by_word ON products USING gin (search);
