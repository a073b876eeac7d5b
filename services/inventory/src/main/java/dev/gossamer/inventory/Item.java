package dev.gossamer.inventory;

/** Some pieces of one product. */
record Item(String productId, int quantity) {}
