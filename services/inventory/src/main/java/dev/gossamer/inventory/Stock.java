package dev.gossamer.inventory;

/** How many pieces of one product can be reserved now, and how many are put aside. */
record Stock(String productId, int available, int reserved) {}
