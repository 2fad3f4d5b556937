#include "textflag.h"

// func markAVX2(words *[9]uint64, text *[span]byte)
//
// Sets bit n of words[0:8] when text[n] is a quote, a backslash or below 0x20.
TEXT ·markAVX2(SB), NOSPLIT, $0-16
	MOVQ words+0(FP), DI
	MOVQ text+8(FP), SI
	MOVQ $0x0202020202020202, AX
	MOVQ $0x5c5c5c5c5c5c5c5c, BX
	MOVQ $0x2020202020202020, CX
	VMOVQ AX, X0
	VMOVQ BX, X1
	VMOVQ CX, X2
	VPBROADCASTQ X0, Y0 // turns a bit over: only quotes and control characters are then at most
	VPBROADCASTQ X2, Y2 // this
	VPBROADCASTQ X1, Y1 // backslashes
	MOVQ $8, CX

next:
	VMOVDQU (SI), Y3
	VMOVDQU 32(SI), Y4
	VPCMPEQB Y1, Y3, Y5
	VPCMPEQB Y1, Y4, Y6
	VPXOR Y0, Y3, Y3
	VPXOR Y0, Y4, Y4
	VPMINUB Y2, Y3, Y7
	VPMINUB Y2, Y4, Y8
	VPCMPEQB Y7, Y3, Y7 // min(c, 0x20) == c
	VPCMPEQB Y8, Y4, Y8
	VPOR Y5, Y7, Y5
	VPOR Y6, Y8, Y6
	VPMOVMSKB Y5, AX
	VPMOVMSKB Y6, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, (DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ next
	VZEROUPPER
	RET
