FROM registry.example/base:1.2
RUNN make
