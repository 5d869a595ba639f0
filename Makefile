# make        build/libdas3.so with its links, and build/das3-run
# make clean  removes what make has built
#
# The Swift runtime is linked into both, so that neither needs a Swift installation to run. The
# linker is lld because gold, the default, does not let exports.map hide protected symbols.

number  = $(shell awk '$$2 == "DAS3_$(1)" { print $$3 }' include/das3.h)
VERSION := $(call number,VERSION_MAJOR).$(call number,VERSION_MINOR).$(call number,VERSION_PATCH)
SONAME  := libdas3.so.$(call number,ABI_VERSION)

SCRATCH := .build/make
BUILD   := swift build -c release --scratch-path $(SCRATCH) -Xswiftc -static-stdlib \
           -Xswiftc -Xclang-linker -Xswiftc -fuse-ld=lld -Xlinker -s
EXPORTS := -Xlinker --version-script=Sources/Das3/exports.map -Xlinker -soname=$(SONAME) \
           -Xlinker --no-undefined -Xlinker -z -Xlinker nodelete

.PHONY: all library program clean

all: library program

library:
	$(BUILD) --product das3 $(EXPORTS)
	install -D $(SCRATCH)/release/libdas3.so build/libdas3.so.$(VERSION)
	ln -sf libdas3.so.$(VERSION) build/$(SONAME)
	ln -sf $(SONAME) build/libdas3.so

program:
	$(BUILD) --product das3-run
	install -D $(SCRATCH)/release/das3-run build/das3-run

clean:
	rm -rf build $(SCRATCH)

.NOTPARALLEL:
