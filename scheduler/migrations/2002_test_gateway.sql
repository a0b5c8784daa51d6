-- What the payment provider of development and tests remembers. It stands for somebody else's system: nothing but its stand-in looks here.
CREATE SCHEMA test_gateway;
CREATE TABLE test_gateway.payments (
    payment uuid PRIMARY KEY,
    launch uuid NOT NULL,
    booking uuid NOT NULL,
    -- in cents
    amount bigint NOT NULL,
    -- why it was declined; null when it was captured
    declined text,
    failing_refunds int NOT NULL
);
CREATE TABLE test_gateway.refunds (
    refund uuid PRIMARY KEY,
    payment uuid NOT NULL REFERENCES test_gateway.payments,
    amount bigint NOT NULL
);
CREATE INDEX refunds_payment ON test_gateway.refunds (payment);
-- Answers that it gave and will give once more by itself.
CREATE TABLE test_gateway.deliveries (
    payment uuid PRIMARY KEY REFERENCES test_gateway.payments
);
SELECT grant_to(ARRAY['customer', 'scheduler'], 'USAGE ON SCHEMA test_gateway');
SELECT grant_to(ARRAY['customer'], 'SELECT, INSERT ON test_gateway.payments');
SELECT grant_to(ARRAY['customer'], 'INSERT ON test_gateway.deliveries');
SELECT grant_to(ARRAY['scheduler'], 'SELECT, UPDATE (failing_refunds) ON test_gateway.payments');
SELECT grant_to(ARRAY['scheduler'], 'SELECT, INSERT ON test_gateway.refunds');
SELECT grant_to(ARRAY['scheduler'], 'SELECT, DELETE ON test_gateway.deliveries');
